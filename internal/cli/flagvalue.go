package cli

import (
	"fmt"
	"maps"
	"strconv"

	"github.com/spf13/pflag"
)

// setter is a flag whose value goes to a function, in the order of the command
// line.
type setter struct {
	kind string // what help calls the value
	set  func(string) error
}

// Set implements pflag.Value.
func (s setter) Set(v string) error { return s.set(v) }

// String implements pflag.Value: there is no default to show.
func (s setter) String() string { return "" }

// Type implements pflag.Value.
func (s setter) Type() string { return s.kind }

// textFlag registers a flag that hands on a text.
func textFlag(fs *pflag.FlagSet, name, usage string, set func(string) error) {
	fs.Var(setter{"string", set}, name, usage)
}

// countFlag registers a flag that hands on a number from least, or 0 for the
// word default.
func countFlag(fs *pflag.FlagSet, name, usage string, least int, set func(int)) {
	fs.Var(setter{"int", func(v string) error {
		if v == "default" {
			set(0)
			return nil
		}
		n, err := strconv.Atoi(v)
		if err != nil || n < least || n > maxCount {
			return fmt.Errorf("use a whole number from %d, or default", least)
		}
		set(n)
		return nil
	}}, name, usage)
}

// maxCount keeps numbers of flags within what the APIs' fields hold.
const maxCount = 1<<31 - 1

// listFlag registers a flag that hands on a list; repeated flags add up.
func listFlag(fs *pflag.FlagSet, name, usage string, set func([]string)) {
	fs.Var(setter{"strings", func(v string) error {
		items, err := splitList(v)
		if err == nil {
			set(items)
		}
		return err
	}}, name, usage)
}

// pairsFlag registers a flag that hands on names with values; repeated flags add
// up.
func pairsFlag(fs *pflag.FlagSet, name, usage string, set func(map[string]string)) {
	fs.Var(setter{"pairs", func(v string) error {
		pairs, err := splitPairs(v)
		if err == nil {
			set(pairs)
		}
		return err
	}}, name, usage)
}

// switchFlag registers --name and --no-name, which hand on yes or no. help is
// where the flag is shown: as it is, negated, or nowhere.
func switchFlag(fs *pflag.FlagSet, name, usage string, set func(bool)) {
	register := func(name string, yes bool) *pflag.Flag {
		f := fs.VarPF(setter{"bool", func(v string) error {
			given, err := strconv.ParseBool(v)
			if err != nil {
				return fmt.Errorf("%q is not true or false", v)
			}
			set(given == yes)
			return nil
		}}, name, "", usage)
		f.NoOptDefVal = "true"
		return f
	}
	register(name, true)
	no := register("no-"+name, false)
	no.Hidden = true
	no.Annotations = map[string][]string{negation: {name}}
}

// added joins maps; a nil first one is made.
func added(to, more map[string]string) map[string]string {
	if to == nil {
		to = map[string]string{}
	}
	maps.Copy(to, more)
	return to
}
