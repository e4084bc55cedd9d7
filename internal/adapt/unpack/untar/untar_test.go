package untar

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/sunya-cloud/sunya"
)

var limits = Limits{Bytes: 512 << 10, Files: 200}

func file(name, text string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(text)), PAXRecords: map[string]string{"SUNYA.text": text}}
}

func dir(name string) *tar.Header {
	return &tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: 0o755}
}

func link(name, target string, kind byte) *tar.Header {
	return &tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o777}
}

// archive packs headers; the text of a file is in its record.
func archive(t testing.TB, headers ...*tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		h := *h
		text := h.PAXRecords["SUNYA.text"]
		if os.Getuid() != 0 && h.Uid == 0 && h.Gid == 0 {
			h.Uid, h.Gid = os.Getuid(), os.Getgid() // who is not root can give files to nobody else
		}
		if h.ModTime.IsZero() {
			h.ModTime = time.Unix(1e9, 0)
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// listing describes a tree: a line an entry.
func listing(t testing.TB, root string) []string {
	t.Helper()
	var out []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == root {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		line := strings.TrimPrefix(path, root+"/")
		switch {
		case d.Type()&fs.ModeSymlink != 0:
			to, _ := os.Readlink(path)
			line += " -> " + to
		case d.IsDir():
			line += "/"
			buf := make([]byte, 8)
			if n, err := unix.Getxattr(path, opaqueMark, buf); err == nil && string(buf[:n]) == "y" {
				line += " opaque"
			}
		case d.Type()&fs.ModeCharDevice != 0:
			line += " gone"
		case d.Type().IsRegular():
			text, _ := os.ReadFile(path)
			line += fmt.Sprintf(" %o %.20q", info.Mode().Perm(), text)
		default:
			line += " " + info.Mode().Type().String()
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("owners need root")
	}
}

func TestExtract(t *testing.T) {
	tests := []struct {
		name string
		in   []*tar.Header
		want []string
	}{
		{"plain", []*tar.Header{dir("./"), dir("./etc/"), file("./etc/a", "x")}, []string{"etc/", `etc/a 644 "x"`}},
		{"absolute names mean the image's root", []*tar.Header{dir("/layers"), file("/layers/a", "x")}, []string{"layers/", `layers/a 644 "x"`}},
		{"parents that nobody mentions", []*tar.Header{file("a/b/c", "x")}, []string{"a/", "a/b/", `a/b/c 644 "x"`}},
		{"symbolic links may lead anywhere", []*tar.Header{link("a", "/etc/passwd", tar.TypeSymlink), link("b", "../../x", tar.TypeSymlink)},
			[]string{"a -> /etc/passwd", "b -> ../../x"}},
		{"through a link inside", []*tar.Header{dir("usr/lib"), link("lib", "usr/lib", tar.TypeSymlink), file("lib/x", "x")},
			[]string{"lib -> usr/lib", "usr/", "usr/lib/", `usr/lib/x 644 "x"`}},
		{"hard link", []*tar.Header{file("a", "x"), dir("d"), link("d/b", "a", tar.TypeLink), link("c", "/a", tar.TypeLink)},
			[]string{`a 644 "x"`, `c 644 "x"`, "d/", `d/b 644 "x"`}},
		{"hard link to a symbolic link", []*tar.Header{link("a", "/etc", tar.TypeSymlink), link("b", "a", tar.TypeLink)},
			[]string{"a -> /etc", "b -> /etc"}},
		{"pipe", []*tar.Header{{Name: "p", Typeflag: tar.TypeFifo, Mode: 0o600}}, []string{"p p---------"}},
		{"the last of the same name counts", []*tar.Header{file("a", "one"), file("a", "two")}, []string{`a 644 "two"`}},
		{"a file in place of a directory", []*tar.Header{file("a/b/c", "x"), file("a", "two")}, []string{`a 644 "two"`}},
		{"a directory in place of a link out", []*tar.Header{link("a", "/etc", tar.TypeSymlink), dir("a"), file("a/b", "x")},
			[]string{"a/", `a/b 644 "x"`}},
		{"a file in place of a link out", []*tar.Header{link("a", "/etc/passwd", tar.TypeSymlink), file("a", "x")}, []string{`a 644 "x"`}},
		{"a directory is mentioned twice", []*tar.Header{dir("a"), file("a/b", "x"), dir("a")}, []string{"a/", `a/b 644 "x"`}},
		{"devices below dev are nobody's", []*tar.Header{dir("dev"), {Name: "dev/null", Typeflag: tar.TypeChar, Devmajor: 1, Devminor: 3}}, []string{"dev/"}},
		{"aufs's own files", []*tar.Header{file(".wh..wh.aufs", ""), dir(".wh..wh.plnk"), file("a", "x")}, []string{`a 644 "x"`}},
		{"names of other systems are names", []*tar.Header{file(`C:\a`, "x"), file("A", "1"), file("a", "2"), file("...", "3")},
			[]string{`... 644 "3"`, `A 644 "1"`, `C:\a 644 "x"`, `a 644 "2"`}},
		{"mark of overlayfs in an archive", []*tar.Header{{Name: "a", Typeflag: tar.TypeDir, Mode: 0o755,
			PAXRecords: map[string]string{"SCHILY.xattr.user.overlay.opaque": "y"}}}, []string{"a/"}},
		{"nothing", nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			data := archive(t, tt.in...)
			sum, err := Extract(root, bytes.NewReader(data), limits)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, listing(t, root)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
			h := sha256.Sum256(data)
			if want := "sha256:" + hex.EncodeToString(h[:]); sum.DiffID != want || sum.Files != len(tt.in) {
				t.Errorf("sum = %+v, want %s", sum, want)
			}
		})
	}
}

func TestWhiteouts(t *testing.T) {
	tests := []struct {
		name string
		in   []*tar.Header
		want []string
	}{
		{"file", []*tar.Header{dir("a"), file("a/.wh.b", "")}, []string{"a/", "a/b gone"}},
		{"directory", []*tar.Header{dir("a"), file("a/.wh..wh..opq", ""), file("a/b", "x")}, []string{"a/ opaque", `a/b 644 "x"`}},
		{"root", []*tar.Header{file(".wh..wh..opq", ""), file("b", "x")}, []string{`b 644 "x"`}},
		{"in a directory that nobody mentions", []*tar.Header{file("a/b/.wh.c", "")}, []string{"a/", "a/b/", "a/b/c gone"}},
		{"then a file", []*tar.Header{file(".wh.b", ""), file("b", "x")}, []string{`b 644 "x"`}},
		{"after a file", []*tar.Header{file("b", "x"), file(".wh.b", "")}, []string{`b 644 "x"`}},
		{"then a directory", []*tar.Header{file(".wh.b", ""), dir("b"), file("b/c", "x")}, []string{"b/ opaque", `b/c 644 "x"`}},
		{"after a directory", []*tar.Header{dir("b"), file("b/c", "x"), file(".wh.b", "")}, []string{"b/ opaque", `b/c 644 "x"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := t.TempDir()
			if _, err := Extract(root, bytes.NewReader(archive(t, tt.in...)), limits); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, listing(t, root)); diff != "" {
				t.Errorf("tree (-want +got):\n%s", diff)
			}
		})
	}
}

// TestHostile is S12 for layers: the error names the entry, and nothing outside
// is touched.
func TestHostile(t *testing.T) {
	outside := t.TempDir()
	secret := filepath.Join(outside, "secret")
	if err := os.WriteFile(secret, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	device := func(name string, kind byte) *tar.Header {
		return &tar.Header{Name: name, Typeflag: kind, Devmajor: 1, Devminor: 3, Mode: 0o666}
	}
	sparse := file("sparse", "")
	sparse.PAXRecords = map[string]string{"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": "1000000000000"}
	tests := []struct {
		name string
		in   []*tar.Header
		code sunya.Code
		want string
	}{
		{"upwards", []*tar.Header{file("../evil", "x")}, sunya.InvalidArgument, `entry "../evil": its name leads upwards`},
		{"upwards in between", []*tar.Header{file("a/../../evil", "x")}, sunya.InvalidArgument, `entry "a/../../evil"`},
		{"upwards from the root", []*tar.Header{file("/../evil", "x")}, sunya.InvalidArgument, `entry "/../evil"`},
		{"through a link out", []*tar.Header{link("out", outside, tar.TypeSymlink), file("out/evil", "x")}, sunya.InvalidArgument, `entry "out/evil": a symbolic link`},
		{"over a file behind a link", []*tar.Header{link("out", outside, tar.TypeSymlink), file("out/secret", "x")}, sunya.InvalidArgument, `entry "out/secret"`},
		{"through a relative link out", []*tar.Header{link("out", "../..", tar.TypeSymlink), file("out/evil", "x")}, sunya.InvalidArgument, `entry "out/evil"`},
		{"through two links", []*tar.Header{link("a", ".", tar.TypeSymlink), link("b", "a/..", tar.TypeSymlink), file("b/evil", "x")}, sunya.InvalidArgument, `entry "b/evil"`},
		{"through proc", []*tar.Header{link("a", "/proc/self/cwd", tar.TypeSymlink), file("a/evil", "x")}, sunya.InvalidArgument, `entry "a/evil"`},
		{"in circles", []*tar.Header{link("a", "b", tar.TypeSymlink), link("b", "a", tar.TypeSymlink), file("a/evil", "x")}, sunya.InvalidArgument, `entry "a/evil"`},
		{"removal through a link out", []*tar.Header{link("out", outside, tar.TypeSymlink), file("out/.wh.secret", "")}, sunya.InvalidArgument, `entry "out/.wh.secret"`},
		{"hard link out", []*tar.Header{link("evil", "../../etc/passwd", tar.TypeLink)}, sunya.InvalidArgument, `entry "evil": hard link to "../../etc/passwd"`},
		{"hard link through a link out", []*tar.Header{link("out", outside, tar.TypeSymlink), link("evil", "out/secret", tar.TypeLink)}, sunya.InvalidArgument, `entry "evil": hard link to "out/secret"`},
		{"hard link to nothing", []*tar.Header{link("a", "b", tar.TypeLink)}, sunya.InvalidArgument, "which the layer does not hold"},
		{"hard link to a directory", []*tar.Header{dir("d"), link("a", "d", tar.TypeLink)}, sunya.InvalidArgument, "which is not a file"},
		{"character device", []*tar.Header{device("etc/null", tar.TypeChar)}, sunya.InvalidArgument, `entry "etc/null": device nodes`},
		{"block device", []*tar.Header{device("disk", tar.TypeBlock)}, sunya.InvalidArgument, `entry "disk": device nodes`},
		{"device under another name of dev", []*tar.Header{link("x", "dev", tar.TypeSymlink), device("x/null", tar.TypeChar)}, sunya.InvalidArgument, `entry "x/null"`},
		{"whiteout as a device", []*tar.Header{{Name: "a", Typeflag: tar.TypeChar}}, sunya.InvalidArgument, `entry "a": device nodes`},
		{"whiteout of nothing", []*tar.Header{file(".wh.", "")}, sunya.InvalidArgument, `entry ".wh."`},
		{"whiteout of the parent", []*tar.Header{file("a/.wh...", "")}, sunya.InvalidArgument, `entry "a/.wh..."`},
		{"the root is a file", []*tar.Header{link("./", "/etc", tar.TypeSymlink)}, sunya.InvalidArgument, "only a directory"},
		{"below a file", []*tar.Header{file("a", "x"), file("a/b", "x")}, sunya.InvalidArgument, `entry "a/b": a file is on its way`},
		{"long name", []*tar.Header{file(strings.Repeat("x", 300), "x")}, sunya.InvalidArgument, "longer than a file system takes"},
		{"long path", []*tar.Header{file(strings.Repeat("x/", 3000)+"y", "x")}, sunya.InvalidArgument, "longer than a path"},
		{"large file", []*tar.Header{file("big", strings.Repeat("x", 600<<10))}, sunya.ResourceExhausted, "unpacks to more than 512 KiB"},
		{"many small files", many(limits.Files + 1), sunya.ResourceExhausted, "more than 200 entries"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parent := t.TempDir()
			root := filepath.Join(parent, "layer")
			if err := os.Mkdir(root, 0o755); err != nil {
				t.Fatal(err)
			}
			_, err := Extract(root, bytes.NewReader(archive(t, tt.in...)), limits)
			if sunya.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error = %v (%v), want %v %q", err, sunya.CodeOf(err), tt.code, tt.want)
			}
			if got := listing(t, parent); len(got) > 0 && strings.Contains(strings.Join(got, "\n"), "\nevil") {
				t.Errorf("outside: %q", got)
			}
			if text, err := os.ReadFile(secret); err != nil || string(text) != "secret" {
				t.Errorf("secret = %q, %v", text, err)
			}
			if entries, _ := os.ReadDir(outside); len(entries) != 1 {
				t.Errorf("outside holds %v", entries)
			}
		})
	}
}

func many(n int) []*tar.Header {
	var all []*tar.Header
	for i := range n {
		all = append(all, file(fmt.Sprint(i), ""))
	}
	return all
}

// TestSparse: a file of holes is as large as it says.
func TestSparse(t *testing.T) {
	map1 := "1\n1000000000000\n0\n" // one hole of a terabyte (GNU format 1.0)
	body := map1 + strings.Repeat("\x00", 512-len(map1))
	h := &tar.Header{
		Name: "GNUSparseFile.0/holes", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(body)), Format: tar.FormatPAX,
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	if err := w.WriteHeader(h); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, body)
	_ = w.Close()
	// The writer takes no such records: they come before, as a header of their own.
	records := ""
	for _, r := range []string{"GNU.sparse.major=1", "GNU.sparse.minor=0", "GNU.sparse.name=holes", "GNU.sparse.realsize=1000000000000"} {
		records += fmt.Sprintf("%d %s\n", len(r)+4, r)
	}
	var p bytes.Buffer
	w = tar.NewWriter(&p)
	if err := w.WriteHeader(&tar.Header{Name: "pax", Typeflag: tar.TypeReg, Size: int64(len(records))}); err != nil {
		t.Fatal(err)
	}
	_, _ = io.WriteString(w, records)
	_ = w.Flush()
	head := p.Bytes()
	head[156] = tar.TypeXHeader
	checksum(head[:512])
	_, err := Extract(t.TempDir(), bytes.NewReader(append(head, b.Bytes()...)), limits)
	if sunya.CodeOf(err) != sunya.ResourceExhausted && sunya.CodeOf(err) != sunya.InvalidArgument {
		t.Errorf("error = %v", err)
	}
}

// checksum writes the sum of a header block (ustar).
func checksum(block []byte) {
	copy(block[148:156], "        ")
	sum := 0
	for _, c := range block {
		sum += int(c)
	}
	copy(block[148:156], fmt.Sprintf("%06o\x00 ", sum))
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write(data)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zst(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return w.EncodeAll(data, nil)
}

func TestCompressed(t *testing.T) {
	plain := archive(t, file("a", "x"))
	for name, data := range map[string][]byte{
		"plain": plain, "gzip": gz(t, plain), "zstd": zst(t, plain),
		"gzip in two members": append(gz(t, plain[:700]), gz(t, plain[700:])...),
		"zstd in two frames":  append(zst(t, plain[:700]), zst(t, plain[700:])...),
	} {
		sum, err := Extract(t.TempDir(), bytes.NewReader(data), limits)
		h := sha256.Sum256(plain)
		if err != nil || sum.DiffID != "sha256:"+hex.EncodeToString(h[:]) {
			t.Errorf("%s: %+v, %v", name, sum, err)
		}
	}
}

func TestBroken(t *testing.T) {
	plain := archive(t, file("a", strings.Repeat("x", 5000)))
	bomb := gz(t, make([]byte, 64<<20))
	tests := []struct {
		name string
		data []byte
		code sunya.Code
	}{
		{"cut off", plain[:1000], sunya.InvalidArgument},
		{"gzip cut off", gz(t, plain)[:40], sunya.InvalidArgument},
		{"zstd cut off", zst(t, plain)[:20], sunya.InvalidArgument},
		{"zstd with trash", append([]byte("\x28\xb5\x2f\xfd"), "trash"...), sunya.InvalidArgument},
		{"not a tar", []byte(strings.Repeat("hello ", 1000)), sunya.InvalidArgument},
		{"bomb behind the end", gz(t, append(plain, make([]byte, 64<<20)...)), sunya.ResourceExhausted},
		{"bomb", bomb, sunya.ResourceExhausted},
		{"zstd bomb", zst(t, append(plain, make([]byte, 64<<20)...)), sunya.ResourceExhausted},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Extract(t.TempDir(), bytes.NewReader(tt.data), limits)
			if sunya.CodeOf(err) != tt.code {
				t.Errorf("error = %v (%v), want %v", err, sunya.CodeOf(err), tt.code)
			}
		})
	}
}

func TestAttributes(t *testing.T) {
	needRoot(t)
	capability := "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00" // cap_net_bind_service+ep, revision 2
	at := time.Unix(1234567890, 0)
	h := file("tool", "x")
	h.Uid, h.Gid, h.Mode, h.ModTime = 33, 34, 0o6755, at
	h.PAXRecords["SCHILY.xattr.security.capability"] = capability
	h.PAXRecords["SCHILY.xattr.user.mime"] = "text"
	h.PAXRecords["SCHILY.xattr.trusted.overlay.opaque"] = "y"
	d := dir("d")
	d.Uid, d.Mode, d.ModTime = 70000, 0o1777, at
	l := link("l", "tool", tar.TypeSymlink)
	l.Uid = 5
	root := t.TempDir()
	if _, err := Extract(root, bytes.NewReader(archive(t, d, file("d/late", "x"), h, l)), limits); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]struct {
		uid, gid, mode uint32
	}{"tool": {33, 34, unix.S_IFREG | 0o6755}, "d": {nobody, 0, unix.S_IFDIR | 0o1777}, "l": {5, 0, unix.S_IFLNK | 0o777}} {
		var st unix.Stat_t
		if err := unix.Lstat(filepath.Join(root, name), &st); err != nil {
			t.Fatal(err)
		}
		if st.Uid != want.uid || st.Gid != want.gid || st.Mode != want.mode {
			t.Errorf("%s: uid %d gid %d mode %o, want %+v", name, st.Uid, st.Gid, st.Mode, want)
		}
		if name != "l" && st.Mtim.Sec != at.Unix() {
			t.Errorf("%s: time %d", name, st.Mtim.Sec)
		}
	}
	buf := make([]byte, 64)
	if n, err := unix.Getxattr(filepath.Join(root, "tool"), "security.capability", buf); err != nil || n < 20 {
		t.Errorf("capability: %d bytes, %v", n, err)
	}
	if n, err := unix.Getxattr(filepath.Join(root, "tool"), "user.mime", buf); err != nil || string(buf[:n]) != "text" {
		t.Errorf("user.mime = %q, %v", buf[:max(n, 0)], err)
	}
	if _, err := unix.Getxattr(filepath.Join(root, "tool"), "trusted.overlay.opaque", buf); err == nil {
		t.Error("a mark of overlayfs was taken from the archive")
	}
}

// FuzzExtract: whatever the archive, it ends, and what lies beside the layer is
// as before.
func FuzzExtract(f *testing.F) {
	plain := archive(f, dir("a"), file("a/b", "x"), link("c", "/etc", tar.TypeSymlink), link("d", "a/b", tar.TypeLink), file("a/.wh.x", ""))
	f.Add(plain)
	f.Add(gz(f, plain))
	f.Add(zst(f, plain))
	f.Add(archive(f, link("out", "..", tar.TypeSymlink), file("out/evil", "x")))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		root := filepath.Join(parent, "layer")
		if err := os.Mkdir(root, 0o755); err != nil {
			t.Fatal(err)
		}
		_, err := Extract(root, bytes.NewReader(data), Limits{Bytes: 1 << 16, Files: 100})
		if err != nil && sunya.CodeOf(err) == sunya.Unknown {
			t.Errorf("error without a code: %v", err)
		}
		if entries, err := os.ReadDir(parent); err != nil || len(entries) != 1 {
			t.Errorf("beside the layer: %v, %v", entries, err)
		}
	})
}
