package page_test

import (
	"strings"
	"testing"

	"github.com/sunya-cloud/sunya"
	"github.com/sunya-cloud/sunya/internal/wire/page"
)

func TestSize(t *testing.T) {
	for _, tt := range []struct {
		rule        string
		asked, want int
		code        sunya.Code
	}{
		{"default", 0, 50, sunya.OK},
		{"as asked", 7, 7, sunya.OK},
		{"capped", 5000, 1000, sunya.OK},
		{"negative", -1, 0, sunya.InvalidArgument},
	} {
		got, err := page.Size(tt.asked, 50, 1000)
		if got != tt.want || sunya.CodeOf(err) != tt.code {
			t.Errorf("%s: Size(%d) = %d, %v", tt.rule, tt.asked, got, err)
		}
	}
}

func TestTokenIsBoundToItsQuery(t *testing.T) {
	token := page.Token("apps/p/services/a", "p", "ab")
	if got, err := page.Cursor(token, "p", "ab"); err != nil || got != "apps/p/services/a" {
		t.Errorf("Cursor = %q, %v", got, err)
	}
	for _, query := range [][]string{{"p"}, {"pa", "b"}, {"q", "ab"}, nil} {
		if _, err := page.Cursor(token, query...); sunya.CodeOf(err) != sunya.InvalidArgument {
			t.Errorf("token accepted for query %q: %v", query, err)
		}
	}
}

func TestEnds(t *testing.T) {
	if got := page.Token("", "p"); got != "" {
		t.Errorf("Token of no cursor = %q, want none", got)
	}
	if got, err := page.Cursor("", "p"); got != "" || err != nil {
		t.Errorf("Cursor of no token = %q, %v", got, err)
	}
}

func FuzzCursor(f *testing.F) {
	f.Add(page.Token("cursor"))
	f.Add("AQ")
	f.Add("not base64!")
	f.Add(strings.Repeat("A", 9<<10))
	f.Fuzz(func(t *testing.T, token string) {
		cursor, err := page.Cursor(token)
		if err != nil {
			if sunya.CodeOf(err) != sunya.InvalidArgument {
				t.Errorf("Cursor(%q): %v", token, err)
			}
			return
		}
		if again := page.Token(cursor); again != strings.NewReplacer("\r", "", "\n", "").Replace(token) {
			t.Errorf("Token(Cursor(%q)) = %q", token, again)
		}
	})
}
