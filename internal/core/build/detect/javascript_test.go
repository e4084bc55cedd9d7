package detect

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestReadJSFunctions(t *testing.T) {
	const ff = "const functions = require('@google-cloud/functions-framework');\n"
	tests := []struct {
		rule, src string
		want      string // names
		sure      bool
	}{
		{"exports", "exports.a = (req, res) => res.send('exports.b = 1');\nexports.c = async function () {}; // exports.d = 1", "a c", true},
		{"module.exports by name", "module.exports.a = x; module.exports['b'] = y", "a b", true},
		{"an object", "function a() {}\nmodule.exports = { a, b: () => ({c: 1, d: [1, 2]}), 'e': 1, async f(x, y) { return {} }, };", "a b e f", true},
		{"both at once", "exports = module.exports = {a}", "a", true},
		{"an empty object", "module.exports = {}", "", true},
		{"TypeScript", "\"use strict\";\nObject.defineProperty(exports, \"__esModule\", { value: true });\nexports.a = exports.b = void 0;\nexports.a = a;", "a b", true},
		{"TypeScript, getter", `Object.defineProperty(exports, "a", { enumerable: true, get: function () { return x.a; } });`, "a", true},
		{"registered", ff + "functions.http('a', (req, res) => {});\nfunctions.cloudEvent(\"b\", e => {}); functions.typed(`c`, x => x)", "a b c", true},
		{"registered, taken apart", "const {http} = require('@google-cloud/functions-framework');\nhttp('a', f)", "a", true},
		{"registered under a computed name", ff + "functions.http(name, f)", "", false},
		{"http of another package", "const http = require('http'); http('x'); axios.http(name); exports.a = 1", "a", true},
		{"a module", "import x from 'y';\nexport const a = (req, res) => {};\nexport function b() {}\nexport async function c() {}\nexport default a;\nexport { d, e as f };\nexport function* g() {}", "a b c default d f g", true},
		{"a module's star", "export * from './x'", "", false},
		{"a module's pattern", "export const { a, b } = make()", "", false},
		{"the whole module is a function", "module.exports = (req, res) => {}", "", false},
		{"spread", "module.exports = { a, ...require('./b') }", "a", false},
		{"a computed name", "exports[name] = 1", "", false},
		{"assigned together", "Object.assign(exports, more)", "", false},
		{"handed on", "fill(module)", "", false},
		{"only packages", "require('acme-functions')", "", false},
		{"regular expression with a quote", "exports.a = s => s.replace(/['\"`]/g, '').split(/[/]/) / 2; exports.b = 1", "a b", true},
		{"a division", "const x = a / b; exports.c = 1 / 2; // '", "c", true},
		{"templates", "const t = `exports.x = 1 ${ f(`inner ${1}`, {a: 1}) } '`; exports.a = t", "a", true},
		{"a string with no end", "exports.a = 'x\n", "a", false},
		{"a comparison", "if (exports.a == 1) {}", "", true},
		{"an interpreter line", "#!/usr/bin/env node\nexports.a = 1", "a", true},
	}
	for _, tt := range tests {
		f := ReadJSFunctions(files("index.js", tt.src), "index.js")
		if diff := cmp.Diff(tt.want, strings.Join(f.Names, " ")); diff != "" || f.Sure != tt.sure {
			t.Errorf("%s: sure %v, want %v; %s", tt.rule, f.Sure, tt.sure, diff)
		}
		if typed := strings.Contains(tt.src, "functions.typed("); f.Typed != typed {
			t.Errorf("%s: typed %v", tt.rule, f.Typed)
		}
	}
}

func TestJSFunctionsOfOtherFiles(t *testing.T) {
	for rule, tt := range map[string]struct {
		lib  string
		sure bool
	}{
		"a helper":             {"exports.x = require('./data.json')", true},
		"it registers":         {"require('@google-cloud/functions-framework').http('nope', f)", false},
		"it loads what is not": {"require('./gone')", false},
		"it loads in a circle": {"require('../index')", true},
	} {
		fsys := files("index.js", "const x = require('./lib');\nexports.a = x", "lib/index.js", tt.lib, "lib/data.json", "{}")
		f := ReadJSFunctions(fsys, "index.js")
		if f.Sure != tt.sure || f.Lacks("nope") != tt.sure || f.Lacks("a") || f.Lacks("x.y") {
			t.Errorf("%s: %+v", rule, f)
		}
	}
}

func FuzzJSFunctions(f *testing.F) {
	f.Add("exports.a = 1; module.exports = {b, 'c': `${`x`}`, async d() {}}")
	f.Add("export const a = /[/]'/; export {b as c}; functions.http('x', y)")
	f.Add("`${`${`${")
	f.Fuzz(func(t *testing.T, src string) {
		found := ReadJSFunctions(files("index.js", src), "index.js")
		for _, name := range found.Names {
			if found.Lacks(name) {
				t.Errorf("%q is found and lacking", name)
			}
		}
	})
}
