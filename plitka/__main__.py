from plitka.cli.main import main

raise SystemExit(main())
