package pid1

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/moby/sys/user"
	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya/internal/adapt/linuxns/helper/ipc"
)

// maxID is the largest id inside a sandbox.
const maxID = 65535

// accountBytes bounds /etc/passwd and /etc/group of an image.
const accountBytes = 4 << 20

// lookUser finds the user that an image names, by Docker's rules and in the
// image's own files, which this process sees as its root.
func lookUser(name string) (*user.ExecUser, error) {
	passwd, err := readAccounts("/etc/passwd")
	if err != nil {
		return nil, err
	}
	group, err := readAccounts("/etc/group")
	if err != nil {
		return nil, err
	}
	return findUser(name, passwd, group)
}

// findUser applies the rules to the text of both files.
func findUser(name string, passwd, group []byte) (*user.ExecUser, error) {
	who, err := user.GetExecUser(name, &user.ExecUser{Home: "/"}, bytes.NewReader(passwd), bytes.NewReader(group))
	if err != nil {
		return nil, ipc.Errorf(ipc.FailedPrecondition, "user %q of the image: %v", name, err)
	}
	for _, id := range append([]int{who.Uid, who.Gid}, who.Sgids...) {
		if id < 0 || id > maxID {
			return nil, ipc.Errorf(ipc.InvalidArgument, "user %q of the image: id %d is not 0 to %d", name, id, maxID)
		}
	}
	if who.Home == "" {
		who.Home = "/"
	}
	return who, nil
}

// readAccounts reads a file of the image; one that is not there is empty. A pipe
// or a device is none.
func readAccounts(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, ipc.Errorf(ipc.InvalidArgument, "read %s of the image: %v", path, err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, ipc.Errorf(ipc.InvalidArgument, "%s of the image is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, accountBytes+1))
	if err != nil {
		return nil, ipc.Errorf(ipc.InvalidArgument, "read %s of the image: %v", path, err)
	}
	if len(data) > accountBytes {
		return nil, ipc.Errorf(ipc.InvalidArgument, "%s of the image is larger than %d MiB", path, accountBytes>>20)
	}
	return data, nil
}
