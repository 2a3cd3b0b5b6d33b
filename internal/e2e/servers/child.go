package servers

import "os/exec"

// Spawn starts a process that is killed when this one ends, however that
// happens, and closes done when it has ended. A test that runs itself as several
// processes uses it.
func Spawn(cmd *exec.Cmd, done chan struct{}) error { return spawn(cmd, done) }
