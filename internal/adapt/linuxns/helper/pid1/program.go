package pid1

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// lookPath finds the program as execvp(3) would, with the PATH it will have.
func (p *process) lookPath() (string, error) {
	proc := p.doc.Process
	if len(proc.Args) == 0 || proc.Args[0] == "" {
		return "", ipc.Errorf(ipc.InvalidArgument, "no program given")
	}
	name := proc.Args[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(proc.Cwd, name)
		}
		return name, checkProgram(name)
	}
	for dir := range strings.SplitSeq(envOf(proc.Env, "PATH"), ":") {
		path := filepath.Join(proc.Cwd, dir, name)
		if filepath.IsAbs(dir) {
			path = filepath.Join(dir, name)
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", ipc.Errorf(ipc.FailedPrecondition, "program %q is not in PATH (%s)", name, envOf(proc.Env, "PATH"))
}

// checkProgram says what is wrong with a path before execve(2) says it in one
// word.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return ipc.Errorf(ipc.FailedPrecondition, "program %q does not exist", path)
	case err != nil:
		return ipc.Errorf(ipc.FailedPrecondition, "program %q: %v", path, err)
	case info.IsDir():
		return ipc.Errorf(ipc.FailedPrecondition, "program %q is a directory", path)
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return ipc.Errorf(ipc.FailedPrecondition, "program %q is not executable (mode %v)", path, info.Mode())
	}
	return nil
}

// explainStart says why a program that is there could not be started.
func explainStart(path, dir string, uid int, err error) error {
	why := err.Error()
	head := beginning(path)
	script, isScript := strings.CutPrefix(trimLine(head), "#!")
	switch {
	case errors.Is(err, syscall.ENOEXEC):
		why = "is neither a program for this machine nor a script that names its interpreter"
		if machine := machineOf(head); machine != "" {
			why = "is built for " + machine + ", not for this machine"
		}
	case errors.Is(err, syscall.ENOENT) && isScript:
		why = fmt.Sprintf("needs the interpreter %q, which is not there", strings.TrimSpace(script))
	case errors.Is(err, syscall.ENOENT):
		why = "needs a loader that is not there (it was linked for another C library, or not statically)"
	case errors.Is(err, syscall.EACCES):
		why = fmt.Sprintf("may not be started by user %d in %s: %v", uid, dir, err)
	}
	return ipc.Errorf(ipc.FailedPrecondition, "start %q in %q: it %s", path, dir, why)
}

// beginning returns the first bytes of a file.
func beginning(path string) []byte {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	head := make([]byte, 256)
	n, _ := io.ReadFull(f, head) // shorter is no error here
	return head[:n]
}

// machines are the e_machine values of the ELF header (elf(5)) that images are
// built for.
var machines = map[uint16]string{
	3: "386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64", 258: "loong64",
}

// machineOf returns which machine an ELF file is for; empty: it is none.
func machineOf(head []byte) string {
	if len(head) < 20 || string(head[:4]) != "\x7fELF" {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 { // ELFDATA2MSB
		order = binary.BigEndian
	}
	n := order.Uint16(head[18:])
	if name := machines[n]; name != "" {
		return name
	}
	return fmt.Sprintf("machine type %d", n)
}
