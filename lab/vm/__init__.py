"""Virtual machines out of Linux namespaces: what a hypervisor is to the lab's cloud."""

from lab.vm.machines import MachineError, MachineExistsError, Machines, MachineSpec

__all__ = ["MachineError", "MachineExistsError", "MachineSpec", "Machines"]
