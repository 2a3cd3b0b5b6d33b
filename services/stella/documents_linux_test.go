package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
	"unsafe"
)

// aloneMark says to a process of this test that it has a network of its own.
const aloneMark = "STELLA_TEST_ALONE"

// alone reports whether this process has no network but a loopback of its own. Else it runs
// the test that asks in a process that has, and returns false.
func alone(t *testing.T) bool {
	t.Helper()
	if testing.Short() {
		t.Skip("the commands of documents are not run with -short")
	}
	if os.Getenv(aloneMark) != "" {
		if err := loopbackUp(); err != nil {
			t.Fatalf("bring the loopback up: %v", err)
		}
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), aloneMark+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
	}
	var out docOutput
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Skipf("this machine gives no process a network of its own: %v", err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
		return false
	}
	t.Log(out.String())
	return false
}

// loopbackUp sets the flag of the interface lo that says that it is up.
func loopbackUp() error {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	request := struct { // struct ifreq
		name  [syscall.IFNAMSIZ]byte
		flags uint16
		_     [22]byte
	}{flags: syscall.IFF_UP | syscall.IFF_RUNNING}
	copy(request.name[:], "lo")
	if _, _, errno := syscall.Syscall(syscall.SYS_IOCTL, uintptr(fd), syscall.SIOCSIFFLAGS, uintptr(unsafe.Pointer(&request))); errno != 0 {
		return errno
	}
	return nil
}
