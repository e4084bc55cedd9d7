package detect

import (
	"fmt"
	"strings"

	"github.com/Masterminds/semver/v3"
)

// Semver is a set of versions in the notation of npm and Composer, such as
// "^20 || >=22.1". The zero value holds everything.
type Semver struct {
	text string
	c    *semver.Constraints
}

// ParseSemver reads a range; an empty one holds everything.
func ParseSemver(s string) (Semver, error) {
	r := Semver{text: strings.TrimSpace(s)}
	if r.text == "" {
		return r, nil
	}
	var err error
	if r.c, err = semver.NewConstraint(r.text); err != nil {
		return Semver{}, fmt.Errorf("%q is not a range of versions: write for example >=20", s)
	}
	return r, nil
}

// String returns the text that was parsed.
func (r Semver) String() string { return r.text }

// Holds reports whether v is in the range; what v leaves out counts as 0.
func (r Semver) Holds(v Version) bool {
	if r.c == nil {
		return true
	}
	return r.c.Check(semver.New(uint64(v.Major), uint64(max(v.Minor, 0)), uint64(max(v.Patch, 0)), "", ""))
}

// Within writes the part of the range that lies in v, in the same notation:
// "22.x ^20 || 22.x >=22.1".
func (r Semver) Within(v Version) string {
	asked := v.String()
	if v.Patch < 0 {
		asked += ".x"
	}
	if r.text == "" {
		return asked
	}
	var parts []string
	for part := range strings.SplitSeq(r.text, "||") {
		parts = append(parts, strings.TrimSpace(asked+" "+strings.TrimSpace(part)))
	}
	return strings.Join(parts, " || ")
}

// usual is above every minor and patch number that Node.js has had.
const usual = 40

// Meets reports whether one of the versions that v stands for may be in the
// range.
func (r Semver) Meets(v Version) bool {
	for minor := max(v.Minor, 0); minor < usual || minor == v.Minor; minor++ {
		for patch := max(v.Patch, 0); patch < usual || patch == v.Patch; patch++ {
			if r.Holds(Version{v.Major, minor, patch}) {
				return true
			}
			if v.Patch >= 0 {
				break
			}
		}
		if v.Minor >= 0 {
			break
		}
	}
	return false
}
