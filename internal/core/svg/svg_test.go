package svg

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
)

func TestPictureIsXML(t *testing.T) {
	p := New("a < b & c")
	p.Text(1, 2.25, End, Strong, "<script>")
	p.Rect(0, 0, 10, 4.5, Series(7), "\"7\"")
	p.Rect(0, 0, 10, 4, Series(0), "")
	p.Line(0, 0, 1, 1, Goal)
	p.Polyline([]Point{{0, 0}, {1.5, 2}}, Series(2).Stroke())
	doc := p.Bytes(100, 20)
	for d := xml.NewDecoder(bytes.NewReader(doc)); ; {
		_, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, want := range []string{
		`viewBox="0 0 100 20"`, "<title>a &lt; b &amp; c</title>", "&lt;script&gt;", `class="s1"`, `class="s2l"`,
		`points="0,0 1.5,2"`, `y="2.2"`, "prefers-color-scheme:dark",
	} {
		if !strings.Contains(string(doc), want) {
			t.Errorf("no %s in\n%s", want, doc)
		}
	}
}

// Every look that there is a name for has a colour on both grounds.
func TestEveryClassHasAStyle(t *testing.T) {
	light, dark, _ := strings.Cut(style, "@media")
	classes := []Class{Strong, Plain, Muted, Axis, Grid, Goal}
	for n := range series {
		classes = append(classes, Series(n), Series(n).Stroke())
	}
	for _, c := range classes {
		for ground, text := range map[string]string{"light": light, "dark": dark} {
			if !strings.Contains(text, "."+string(c)+"{") && !strings.Contains(text, "."+string(c)+",") {
				t.Errorf("%s has no look on %s ground", c, ground)
			}
		}
	}
}
