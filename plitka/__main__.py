try:
    from plitka.cli.main import main

    status = main()
except KeyboardInterrupt:  # while modules are imported; commands catch it themselves
    status = 130

raise SystemExit(status)
