//go:build e2e

package bench

import "testing"

var pythonRows = []language{{
	name: "python", title: "Python, Flask and gunicorn", dir: "../../examples/hello-python", main: "main.py",
	bare:  func(tb testing.TB, _ string) []string { return gunicorn(tb) },
	goals: most(1.1),
	note:  "gunicorn listens before its worker has loaded the app",
}}

var nodeRows = []language{{
	name: "node", title: "Node.js, Express", needs: "npm", dir: "../testdata/node/express", main: "server.js",
	bare: func(tb testing.TB, dir string) []string {
		run(tb, dir, "npm", "ci", "--no-audit", "--no-fund")
		return []string{"node", "server.js"}
	},
	goals: most(1.1),
}}

var phpRows = []language{{
	name: "php", title: "PHP, its own server", needs: "php", dir: "../../examples/hello-php", main: "index.php",
	bare: func(testing.TB, string) []string { return []string{"php", "-S", "0.0.0.0:$PORT", "index.php"} },
}}

var rubyRows = []language{{
	name: "ruby", title: "Ruby, WEBrick", needs: "ruby", dir: "../../examples/hello-ruby", main: "app.rb",
	bare: func(testing.TB, string) []string { return []string{"ruby", "app.rb"} },
}}
