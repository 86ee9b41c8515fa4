//go:build unix

package testbed

import (
	"os/exec"
	"syscall"
)

// own makes a command run as the account, in a process group of its own, so that
// Ctrl-C in a terminal reaches the tests and not their servers.
func (a *account) own(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if a.other {
		command.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(a.uid), Gid: uint32(a.gid)}
	}
}

func kill(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }

func freeze(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }

// killGroup ends what is left of a process group; usually that is nothing.
func killGroup(leader int) error { return syscall.Kill(-leader, syscall.SIGKILL) }
