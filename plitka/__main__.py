from plitka.cli import main

raise SystemExit(main())
