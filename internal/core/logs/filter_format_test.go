package logs

import (
	"strconv"
	"strings"
)

// format writes a filter in one normal form, which ParseFilter reads back.
func format(f *Filter) string {
	if f.root == nil {
		return ""
	}
	return formatNode(f.root)
}

func formatNode(n node) string {
	switch n := n.(type) {
	case andNode:
		return formatJoined(n, " AND ")
	case orNode:
		return formatJoined(n, " OR ")
	case notNode:
		return "NOT " + formatNested(n.node)
	case textNode:
		return quoteFilter(string(n))
	case logIDNode:
		return "log_id(" + quoteFilter(string(n)) + ")"
	case *compareNode:
		return formatCompare(n)
	}
	panic("a node of no known kind")
}

func formatJoined(parts []node, by string) string {
	out := make([]string, len(parts))
	for i, part := range parts {
		out[i] = formatNested(part)
	}
	return strings.Join(out, by)
}

// formatNested puts what is not one piece in parentheses.
func formatNested(n node) string {
	switch n.(type) {
	case andNode, orNode:
		return "(" + formatNode(n) + ")"
	}
	return formatNode(n)
}

func formatCompare(c *compareNode) string {
	path := make([]string, len(c.path))
	for i, part := range c.path {
		if i > 0 && !plainWord(part) {
			part = quoteFilter(part)
		}
		path[i] = part
	}
	value := "*"
	if !c.exists {
		value = quoteFilter(c.text)
	}
	return strings.Join(path, ".") + c.op + value
}

// plainWord says whether a part of a path can stand without quotes.
func plainWord(s string) bool {
	for _, r := range s {
		if !(r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return false
		}
	}
	return s != ""
}

// quoteFilter writes s so that the lexer reads it back.
func quoteFilter(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ':
			b.WriteString(`\u00`)
			b.WriteString(strconv.FormatInt(int64(r)+0x100, 16)[1:])
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
