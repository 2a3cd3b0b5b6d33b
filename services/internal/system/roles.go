package system

// Role says what a process does of a system that has both an API and work.
type Role string

// The roles. "" is All.
const (
	All  Role = "all"
	Web  Role = "web"
	Work Role = "worker"
)

func (r Role) web() bool    { return r != Work }
func (r Role) worker() bool { return r != Web }
