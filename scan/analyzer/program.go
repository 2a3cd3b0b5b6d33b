package analyzer

// ProgramKind says how a program is used.
type ProgramKind string

// The kinds of programs.
const (
	Executable   ProgramKind = "executable"    // started by its path
	SharedObject ProgramKind = "shared-object" // loaded by others
	Script       ProgramKind = "script"        // given to the interpreter that its first line names
)

// Program is a file that can be run or loaded: what it is, and what it starts or
// loads by itself. Whether a package accounts for it is found out when the image
// is put together.
type Program struct {
	Kind   ProgramKind `json:"kind"`
	Format string      `json:"format"` // "elf", "pe", "mach-o", "wasm"; "script"
	Size   int64       `json:"size"`   // bytes
	Mode   uint32      `json:"mode"`   // permission bits
	// SHA256 is the digest of the content in lower-case hex. It is empty where the
	// file lies among the system's own programs: then it is computed when it turns
	// out that no package accounts for it.
	SHA256 string `json:"sha256,omitempty"`
	// Interpreter is what the first line of a script names, with its argument, or
	// the loader of an ELF file (PT_INTERP), as it is written.
	Interpreter string `json:"interpreter,omitempty"`
	// Soname, Needed and RunPath are those of ELF's dynamic section (gABI, "Dynamic
	// Linking"): DT_SONAME, DT_NEEDED in order, DT_RUNPATH or else DT_RPATH, split
	// at colons. Needed of PE files are the names of imported libraries.
	Soname  string   `json:"soname,omitempty"`
	Needed  []string `json:"needed,omitempty"`
	RunPath []string `json:"run_path,omitempty"`
	// Commands are the simple commands of a shell script in the order of the text,
	// whatever decides whether they are run, as internal/shell gives them.
	Commands [][]string `json:"commands,omitempty"`
	// Unknown says, in one line, why the fields above may not be all; empty means
	// that they are.
	Unknown string `json:"unknown,omitempty"`
}
