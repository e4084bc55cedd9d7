package detect

import "slices"

// jsScan goes through the tokens of one file and collects what it exports and
// registers.
type jsScan struct {
	tokens    []jsToken
	framework bool // the file uses the functions framework
	typed     bool // one with functions.typed
	names     []string
	sure      bool
}

func (s *jsScan) at(i int) jsToken {
	if i < 0 || i >= len(s.tokens) {
		return jsToken{}
	}
	return s.tokens[i]
}

// is reports whether the tokens from i on are these words and signs.
func (s *jsScan) is(i int, texts ...string) bool {
	for n, text := range texts {
		if t := s.at(i + n); t.kind == jsString || t.text != text {
			return false
		}
	}
	return true
}

func (s *jsScan) says(word string) bool {
	return slices.ContainsFunc(s.tokens, func(t jsToken) bool { return t.kind == jsString && t.text == word })
}

func (s *jsScan) add(name string) {
	if name != "__esModule" && !slices.Contains(s.names, name) {
		s.names = append(s.names, name)
	}
}

// addString adds the string at i, or makes the file unsure where there is another
// thing.
func (s *jsScan) addString(i int) {
	if t := s.at(i); t.kind == jsString && !t.open {
		s.add(t.text)
		return
	}
	s.sure = false
}

func (s *jsScan) run() {
	for i, t := range s.tokens {
		if t.kind != jsWord || s.is(i-1, ".") && t.text != "http" && t.text != "cloudEvent" && t.text != "typed" {
			continue
		}
		switch t.text {
		case "module":
			switch {
			case s.is(i+1, ".", "exports"):
				s.exports(i + 3)
			case !s.is(i+1, ".") && !s.is(i+1, ":"):
				s.sure = false
			}
		case "exports":
			s.exports(i + 1)
		case "export":
			s.export(i + 1)
		case "http", "cloudEvent", "typed":
			if s.framework && s.is(i+1, "(") {
				s.typed = s.typed || t.text == "typed"
				s.addString(i + 2)
			}
		case "eval":
			s.sure = false
		}
	}
}

// exports looks at what follows the word exports of CommonJS.
func (s *jsScan) exports(i int) {
	switch name := s.at(i + 1); {
	case s.is(i, "=") && s.is(i+1, "{"):
		s.object(i+2, ":")
	case s.is(i, "=") && (s.is(i+1, "exports") || s.is(i+1, "module", ".", "exports")): // which come next
	case s.is(i, ".") && name.kind == jsWord:
		if s.is(i+2, "=") {
			s.add(name.text)
		}
	case s.is(i, "["):
		s.addString(i + 1)
	case s.is(i, ",") && name.kind == jsString: // Object.defineProperty(exports, "name", …
		s.add(name.text)
	default:
		s.sure = false
	}
}

// object reads the names of an object, or of an export list, from behind its
// brace on. rename is what stands between a name and what it stands for.
func (s *jsScan) object(i int, rename string) {
	for ; ; i++ {
		for s.is(i, "async") && !s.is(i+1, "(") && !s.is(i+1, ",") && !s.is(i+1, ":") && !s.is(i+1, "}") || s.is(i, "*") {
			i++
		}
		t := s.at(i)
		switch {
		case s.is(i, "}"):
			return
		case t.kind == jsSign || t.kind == jsNone || t.open: // ...rest, [computed]
			s.sure = false
			return
		case rename == "as" && s.is(i+1, "as"):
			i += 2
			t = s.at(i)
		}
		s.add(t.text)
		if i = s.next(i); i < 0 {
			s.sure = false
			return
		}
		if s.is(i, "}") {
			return
		}
	}
}

// next is the comma or brace that ends the part of a list that i is in; -1 where
// there is none.
func (s *jsScan) next(i int) int {
	depth := 0
	for ; i < len(s.tokens); i++ {
		if s.tokens[i].kind != jsSign {
			continue
		}
		switch s.tokens[i].text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			if depth == 0 {
				return i
			}
			depth--
		case ",":
			if depth == 0 {
				return i
			}
		}
	}
	return -1
}

// export looks at what follows the word export of a module.
func (s *jsScan) export(i int) {
	for s.is(i, "async") {
		i++
	}
	name := s.at(i + 1)
	switch {
	case s.is(i, "default"):
		s.add("default")
	case s.is(i, "{"):
		s.object(i+1, "as")
	case (s.is(i, "function") || s.is(i, "class") || s.is(i, "const") || s.is(i, "let") || s.is(i, "var")) && name.kind == jsWord:
		s.add(name.text)
	case s.is(i, "function", "*"):
		s.add(s.at(i + 2).text)
	default: // export * from, a pattern
		s.sure = false
	}
}
