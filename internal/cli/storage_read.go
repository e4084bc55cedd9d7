package cli

import (
	"context"
	"crypto/md5" //nolint:gosec // the checksum that the API gives
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/sunya-cloud/sunya"
)

func newStorageCatCommand(env *Env) *cobra.Command {
	var part string
	var names bool
	cmd := &cobra.Command{
		Use:     "cat gs://BUCKET/OBJECT...",
		Short:   "Write objects to standard output.",
		Args:    args(1, 1<<20, "gs://BUCKET/OBJECT"),
		Example: "sunya storage cat gs://photos/notes.txt\nsunya storage cat --range 0-99 gs://photos/notes.txt",
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx := cmd.Context()
			return withStorage(ctx, env, func(a *storageAPI) error {
				return a.each(ctx, args, false, false, func(m match) error {
					s, err := parseExtent(part, int64(m.object.Size)) //nolint:gosec // below 8 EiB
					if err != nil {
						return err
					}
					if names {
						fmt.Fprintf(env.Stdout, "==> %s <==\n", printable(m.String()))
					}
					if s.offset >= int64(m.object.Size) && m.object.Size > 0 { //nolint:gosec // below 8 EiB
						return sunya.Errorf(sunya.OutOfRange, m.String(), "--range %s begins behind the end: the object has %d bytes", part, m.object.Size)
					}
					return a.fetch(ctx, m.object, s, env.Stdout)
				})
			})
		},
	}
	cmd.Flags().StringVarP(&part, "range", "r", "", "FIRST-LAST, FIRST- or -COUNT: bytes from 0, or the last ones")
	cmd.Flags().BoolVarP(&names, "display-url", "d", false, "each with its name above it")
	return cmd
}

// parseExtent reads a range of bytes as HTTP writes them.
func parseExtent(text string, size int64) (extent, error) {
	if text == "" {
		return extent{}, nil
	}
	first, last, ok := strings.Cut(text, "-")
	from, err := strconv.ParseInt(first, 10, 64)
	to := size - 1
	switch {
	case !ok || first == "" && last == "":
		err = strconv.ErrSyntax
	case first == "":
		from, err = strconv.ParseInt(last, 10, 64)
		from = max(size-from, 0)
	case last != "" && err == nil:
		to, err = strconv.ParseInt(last, 10, 64)
	}
	if err != nil || to < from && size > 0 && from < size {
		return extent{}, usagef("--range: %q is not a range: write 0-99, 100- or -100", text)
	}
	return extent{from, max(min(to, size-1)-from+1, 0)}, nil
}

// sums is what hash prints, in gcloud's words.
type sums struct {
	URL    string `json:"url"`
	CRC32C string `json:"crc32c_hash,omitempty"`
	MD5    string `json:"md5_hash,omitempty"`
	Format string `json:"digest_format"`
}

func newStorageHashCommand(env *Env) *cobra.Command {
	var noCRC, noMD5, asHex bool
	cmd := &cobra.Command{
		Use:     "hash (gs://BUCKET/OBJECT | FILE)...",
		Short:   "Show the checksums of objects and files.",
		Args:    args(1, 1<<20, "an object or a file"),
		Example: "sunya storage hash gs://photos/a.jpg\nsunya storage hash a.jpg --hex --skip-crc32c",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withStorage(cmd.Context(), env, func(a *storageAPI) error {
				all, err := a.hash(cmd.Context(), env, args)
				if err != nil {
					return err
				}
				for i := range all {
					if err := all[i].form(noCRC, noMD5, asHex); err != nil {
						return err
					}
				}
				return printList(env, all, table[sums]{
					{"URL", func(s sums) string { return s.URL }},
					{"CRC32C", func(s sums) string { return s.CRC32C }},
					{"MD5", func(s sums) string { return s.MD5 }},
				})
			})
		},
	}
	fs := cmd.Flags()
	fs.BoolVar(&noCRC, "skip-crc32c", false, "only MD5")
	fs.BoolVar(&noMD5, "skip-md5", false, "only CRC32C")
	fs.BoolVar(&asHex, "hex", false, "in hexadecimal instead of Base64")
	return cmd
}

func (s *sums) form(noCRC, noMD5, asHex bool) error {
	s.Format = "base64"
	if asHex {
		s.Format = "hex"
	}
	for _, t := range []struct {
		sum  *string
		skip bool
	}{{&s.CRC32C, noCRC}, {&s.MD5, noMD5}} {
		if t.skip {
			*t.sum = ""
		}
		if asHex {
			raw, err := base64.StdEncoding.DecodeString(*t.sum)
			if err != nil {
				return fmt.Errorf("read checksum: %w", err)
			}
			*t.sum = hex.EncodeToString(raw)
		}
	}
	return nil
}

func (a *storageAPI) hash(ctx context.Context, env *Env, args []string) ([]sums, error) {
	var all []sums
	for _, arg := range args {
		p, err := parsePlace(arg)
		if err != nil {
			return nil, err
		}
		if p.cloud() {
			err = a.each(ctx, []string{arg}, false, false, func(m match) error {
				all = append(all, sums{URL: m.String(), CRC32C: m.object.Crc32c, MD5: m.object.Md5Hash})
				return nil
			})
		} else {
			all, err = hashFiles(env, p, all)
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func hashFiles(env *Env, p place, to []sums) ([]sums, error) {
	paths, err := localMatches(env.Dir, p.name)
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		s, err := hashFile(path)
		if err != nil {
			return nil, err
		}
		to = append(to, s)
	}
	return to, nil
}

func hashFile(path string) (sums, error) {
	file, err := os.Open(path)
	if err != nil {
		return sums{}, err
	}
	defer file.Close()
	c, m := crc32.New(castagnoli), md5.New() //nolint:gosec // see import
	if _, err := io.Copy(io.MultiWriter(c, m), file); err != nil {
		return sums{}, err
	}
	return sums{URL: place{name: path}.String(), CRC32C: crc(c.Sum32()), MD5: base64.StdEncoding.EncodeToString(m.Sum(nil))}, nil
}
