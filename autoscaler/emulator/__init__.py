"""An emulated cloud: IAM, DDM, Cloud Eye and RDS over real HTTP, for demos and tests.

It is written from the vendor's documents alone and shares no code with `autoscaler.huaweicloud`, so each checks the
other; the vendor's own SDK is the judge of it (`tests/emulator/`). The flow of a request:

    server (sockets) → gateway (routing, faults, who is asking) → iam | ddm | ces | rds (answers) → world (the truth)

`world` is advanced to the clock's `now` at every request; nothing here runs on a timer of its own.
"""
