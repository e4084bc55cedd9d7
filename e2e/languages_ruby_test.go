//go:build e2e

package e2e

var rubyApps = []languageApp{
	{name: "ruby", dir: "testdata/ruby/contract", needs: "ruby", main: "app.rb", contract: true, reused: "No dependencies to install",
		env: map[string]string{"RACK_ENV": "production"}},
	{name: "ruby-smallest", dir: "../examples/hello-ruby", needs: "ruby", main: "app.rb"},
}
