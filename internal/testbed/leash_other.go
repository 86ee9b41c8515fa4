//go:build !unix

package testbed

import (
	"errors"
	"os/exec"
)

func (a *account) own(*exec.Cmd) {}

func kill(int) error { return errors.ErrUnsupported }

func freeze(int) error { return errors.ErrUnsupported }

func killGroup(int) error { return errors.ErrUnsupported }
