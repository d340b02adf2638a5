package mapping

import (
	"errors"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// The texts that Entra writes a yes and a no with.
const (
	isTrue  = "True"
	isFalse = "False"
)

// function is one that expressions may call.
type function struct {
	usage  string
	params []kind
	more   kind // of further arguments; unknown: there are none
	least  int  // arguments that may not be left out
	result kind
	check  func(*checker, *ast.CallNode)
	call   func(p patterns, args []any) (any, error)
}

// functions are those of Entra's own mapping expressions, by the same names and with the same meaning (Microsoft's
// "Reference for writing expressions for attribute mappings in Microsoft Entra ID"), as far as they work on texts; and
// RegexReplace, ReplaceGroup and Trim besides. Where a value is missing they see the empty text.
func functions() map[string]function {
	one := func(usage string, f func(string) string) function {
		return function{usage: usage, params: []kind{text}, least: 1, result: text,
			call: func(_ patterns, a []any) (any, error) { return limited(f(str(a, 0))) }}
	}
	is := func(usage string, empty bool) function {
		return function{usage: usage, params: []kind{scalar}, least: 1, result: truth,
			call: func(_ patterns, a []any) (any, error) { return (asText(a[0]) == "") == empty, nil }}
	}
	return map[string]function{
		"Append": {usage: "Append(text, suffix)", params: []kind{text, text}, least: 2, result: text,
			call: func(_ patterns, a []any) (any, error) { return limited(str(a, 0) + str(a, 1)) }},
		"Coalesce": {usage: "Coalesce(text, ..., default)", params: []kind{scalar}, more: scalar, least: 1, result: text, call: coalesce},
		"CStr": {usage: "CStr(value)", params: []kind{scalar}, least: 1, result: text,
			call: func(_ patterns, a []any) (any, error) { return asText(a[0]), nil }},
		"IIF":                     {usage: "IIF(condition, then, else)", params: []kind{logic, scalar, scalar}, least: 3, result: text, call: iif},
		"IgnoreFlowIfNullOrEmpty": one("IgnoreFlowIfNullOrEmpty(text)", func(s string) string { return s }),
		"InStr":                   {usage: "InStr(text, what, start)", params: []kind{text, text, number}, least: 2, result: number, call: inStr},
		"IsNull":                  is("IsNull(value)", true),
		"IsNullOrEmpty":           is("IsNullOrEmpty(value)", true),
		"IsPresent":               is("IsPresent(value)", false),
		"Item":                    {usage: "Item(list, number)", params: []kind{list, number}, least: 2, result: text, check: fromOne(1), call: item},
		"Join":                    {usage: "Join(separator, text, ...)", params: []kind{text, texts}, more: texts, least: 2, result: text, call: join},
		"Left":                    {usage: "Left(text, characters)", params: []kind{text, number}, least: 2, result: text, call: left},
		"Mid":                     {usage: "Mid(text, start, length)", params: []kind{text, number, number}, least: 3, result: text, check: fromOne(1), call: mid},
		"NormalizeDiacritics":     one("NormalizeDiacritics(text)", normalizeDiacritics),
		"Not":                     {usage: "Not(condition)", params: []kind{logic}, least: 1, result: truth, call: not},
		"PCase":                   {usage: "PCase(text, separators)", params: []kind{text, text}, least: 1, result: text, call: pcase},
		"RegexReplace": {usage: `RegexReplace(text, "pattern", replacement)`, params: []kind{text, text, text}, least: 3, result: text,
			check: func(c *checker, n *ast.CallNode) { c.pattern(n.Arguments[1]) }, call: regexReplace},
		"RemoveDuplicates": {usage: "RemoveDuplicates(list)", params: []kind{list}, least: 1, result: list, call: removeDuplicates},
		"Replace":          {usage: "Replace(text, old, new)", params: []kind{text, text, text}, least: 3, result: text, call: replace},
		"ReplaceGroup": {usage: `ReplaceGroup(text, "pattern", "group", replacement)`, params: []kind{text, text, text, text}, least: 4,
			result: text, check: checkGroup, call: replaceGroup},
		"Split":       {usage: `Split(text, ",")`, params: []kind{text, text}, least: 2, result: list, call: split},
		"StripSpaces": one("StripSpaces(text)", func(s string) string { return strings.ReplaceAll(s, " ", "") }),
		"Switch": {usage: "Switch(value, default, key, then, ...) with a value for each key", params: []kind{scalar, scalar, scalar, scalar},
			more: scalar, least: 4, result: text, check: inPairs, call: choose},
		"ToLower": {usage: `ToLower(text, "culture")`, params: []kind{text, text}, least: 1, result: text, check: checkCulture,
			call: inCase(strings.ToLower, func(t language.Tag) cases.Caser { return cases.Lower(t) })},
		"ToUpper": {usage: `ToUpper(text, "culture")`, params: []kind{text, text}, least: 1, result: text, check: checkCulture,
			call: inCase(strings.ToUpper, func(t language.Tag) cases.Caser { return cases.Upper(t) })},
		"Trim": one("Trim(text)", strings.TrimSpace),
		"Word": {usage: "Word(text, number, delimiters)", params: []kind{text, number, text}, least: 3, result: text, call: word},
	}
}

// outOfReach says why a function of Entra's can't be had; empty: it is none of those.
func outOfReach(name string) string {
	const never = "each run would find another value"
	const dates = "values here are texts, and it works on dates"
	why := map[string]string{
		"SingleAppRoleAssignment": "the names of app roles are not among a person's attributes", "AppRoleAssignmentsComplex": "the names of app roles are not among a person's attributes",
		"Guid": never, "RandomString": never, "Now": never,
		"SelectUniqueValue": "it asks the application which values are taken, and Entra offers it for on-premises directories only",
		"CDate":             dates, "DateAdd": dates, "DateDiff": dates, "DateFromNum": dates, "FormatDateTime": dates, "NumFromDate": dates,
		"BitAnd": "values here are texts, and it works on numbers", "CBool": "write the comparison itself",
		"ConvertToBase64": "no attribute of a member is binary", "ConvertToUTF8Hex": "no attribute of a member is binary",
		"Count":    "an attribute of several values is read as one text",
		"IsString": "every attribute is a text", "Redact": "it is for logs",
	}
	for known, text := range why {
		if strings.EqualFold(known, name) {
			return text
		}
	}
	return ""
}

// spelling is a function's name as it is spelled here, however it was written.
func spelling(name string) string {
	for known := range functions() {
		if strings.EqualFold(known, name) {
			return known
		}
	}
	return name
}

// The arguments' kinds were checked when the expression was compiled.

func str(args []any, i int) string {
	if i >= len(args) {
		return ""
	}
	return asText(args[i])
}

func num(args []any, i int) int {
	n, _ := args[i].(int)
	return n
}

func limited(s string) (any, error) {
	if len(s) > maxText {
		return nil, tooLong()
	}
	return s, nil
}

// yes reads a condition.
func yes(v any) (bool, error) {
	if b, ok := v.(bool); ok {
		return b, nil
	}
	switch s := asText(v); {
	case strings.EqualFold(s, isTrue):
		return true, nil
	case s == "", strings.EqualFold(s, isFalse):
		return false, nil
	}
	return false, errors.New("a condition is neither True nor False")
}

func fromOne(arg int) func(*checker, *ast.CallNode) {
	return func(c *checker, n *ast.CallNode) {
		if v, ok := literal(n.Arguments[arg]); ok && v < 1 {
			c.fail(n.Arguments[arg], "it is counted from 1")
		}
	}
}

func inPairs(c *checker, n *ast.CallNode) {
	if len(n.Arguments)%2 != 0 {
		c.fail(n, "each key of Switch needs a value after it: write %s", functions()["Switch"].usage)
	}
}

func checkCulture(c *checker, n *ast.CallNode) {
	if len(n.Arguments) < 2 {
		return
	}
	s, ok := n.Arguments[1].(*ast.StringNode)
	if !ok {
		c.fail(n.Arguments[1], "a culture must be a text in quotes, such as \"tr-TR\"")
		return
	}
	if _, err := language.Parse(s.Value); s.Value != "" && err != nil {
		c.fail(s, "%q is no culture: write one such as \"tr-TR\"", s.Value)
	}
}

func checkGroup(c *checker, n *ast.CallNode) {
	c.pattern(n.Arguments[1])
	group, ok := n.Arguments[2].(*ast.StringNode)
	if !ok {
		c.fail(n.Arguments[2], "a group's name must be a text in quotes")
		return
	}
	if s, ok := n.Arguments[1].(*ast.StringNode); ok && c.patterns[s.Value] != nil && !slices.Contains(c.patterns[s.Value].SubexpNames(), group.Value) {
		c.fail(group, "the regular expression has no group %q", group.Value)
	}
}
