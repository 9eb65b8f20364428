"""The ports that tests and their servers may take: unprivileged and outside the kernel's ephemeral range.

Two test runs on one machine get out of each other's way with FLEETWING_TEST_PORTS, e.g. `25000-25999`.
"""

import os

FIRST_PORT, LAST_PORT = (int(port) for port in os.environ.get("FLEETWING_TEST_PORTS", "21000-22999").split("-"))
