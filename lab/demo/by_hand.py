"""Make a VM behind everybody's back, as an administrator would. Runs inside the lab's namespace."""

from __future__ import annotations

import sys

from lab.bootstrap import TEMPLATE
from lab.demo.probes import cloud
from lab.settings import places


def main() -> None:
    """Instantiate the lab's VM template under the given name and print the VM's id."""
    one = cloud(places())
    templates = one.templatepool.info(-2, -1, -1).VMTEMPLATE
    template = next(each.ID for each in templates if each.NAME == TEMPLATE)
    print(one.template.instantiate(template, sys.argv[1], False, "", False))


if __name__ == "__main__":
    main()
