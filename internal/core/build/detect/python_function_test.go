package detect

import "testing"

func TestPythonSignature(t *testing.T) {
	for src, want := range map[string]string{
		"def f(data, context):\n    pass":                                  "event",
		"async def f(data, context):\n    pass":                            "event",
		"def f(\n    data: dict[str, int],  # a, b\n    context,\n):\n  1": "event",
		"def f(data, context, more=None): 1":                               "event",
		"def f(data, context=None): 1":                                     "",
		"def f(data, *args): 1":                                            "",
		"def f(data, context, *, more): 1":                                 "event",
		"def f(data: 'a,b', context=(1, 2)): 1":                            "",
		"def f(request): 1":                                                "",
		"def f(): 1":                                                       "",
		"def g(data, context): 1":                                          "",
		"class A:\n  def f(self, x): 1":                                    "",
		"@functions_framework.http\ndef f(a, b): 1":                        "",
		"@wrap(\n    1,\n)\n# why\ndef f(a, b): 1":                         "",
		"@one\ndef g(a): 1\n\ndef f(a, b): 1":                              "event",
		"def f(a, b): 1\n\ndef f(a): 1":                                    "",
		"def f(a, b":                                                       "",
		"def f(a, b='":                                                     "",
	} {
		if got := pythonSignature(files("main.py", src), "main.py", "f"); got != want {
			t.Errorf("%q: %q, want %q", src, got, want)
		}
	}
}

func FuzzPythonSignature(f *testing.F) {
	f.Add("@a\ndef f(a, b='x', *c): 1\n")
	f.Add("async def f(\n# )\n a, /, b):")
	f.Fuzz(func(t *testing.T, src string) {
		if got := pythonSignature(files("main.py", src), "main.py", "f"); got != "" && got != "event" {
			t.Errorf("%q: %q", src, got)
		}
	})
}
