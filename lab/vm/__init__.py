"""Virtual machines out of Linux namespaces: what a hypervisor is to the lab's cloud."""

from lab.vm.machines import MachineError, MachineExists, Machines, MachineSpec

__all__ = ["MachineError", "MachineExists", "MachineSpec", "Machines"]
