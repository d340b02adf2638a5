package mapping

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
)

// kind is what a part of an expression gives.
type kind int

const (
	unknown kind = iota // something is wrong with it, which has been said
	text
	number
	truth
	list
	// Of parameters only:
	scalar // text, number or truth
	logic  // truth, or a text that says True or False
	texts  // text or list
)

func (k kind) String() string {
	return [...]string{"unknown", "a text", "a number", "true or false", "a list", "a text, a number, or true or false",
		"true or false", "a text or a list"}[k]
}

// takes reports whether a parameter of this kind takes a value of that one.
func (k kind) takes(given kind) bool {
	switch k {
	case scalar:
		return given == text || given == number || given == truth
	case logic:
		return given == truth || given == text
	case texts:
		return given == text || given == list
	}
	return k == given
}

// patterns are the regular expressions of an expression, compiled.
type patterns map[string]*regexp.Regexp

// checker goes over an expression's parts: it lets through what is total and bounded, and works out their kinds.
type checker struct {
	known      func(string) error
	attributes map[string]bool
	patterns   patterns
	err        *SyntaxError // the first that was found
}

func (c *checker) fail(n ast.Node, format string, args ...any) kind {
	if c.err == nil {
		var at file.Location
		if n != nil {
			at = n.Location()
		}
		c.err = &SyntaxError{at.From + 1, fmt.Sprintf(format, args...)}
	}
	return unknown
}

func (c *checker) kindOf(n ast.Node) kind {
	switch n := n.(type) {
	case *ast.StringNode:
		return text
	case *ast.IntegerNode:
		return number
	case *ast.BoolNode:
		return truth
	case *ast.IdentifierNode, *ast.MemberNode:
		return c.attribute(n)
	case *ast.CallNode:
		return c.call(n)
	case *ast.UnaryNode:
		return c.unary(n)
	case *ast.BinaryNode:
		return c.binary(n)
	case *ast.ConditionalNode:
		c.want(n.Cond, truth, "what stands before ?")
		first := c.kindOf(n.Exp1)
		c.want(n.Exp2, first, "what stands after :")
		return first
	case *ast.ArrayNode:
		return c.fail(n, `a name in [ ] is how Entra writes an attribute: here it is written without; a list stands after "in" only`)
	case *ast.NilNode:
		return c.fail(n, `nil is nothing here: what is missing is the empty text, ""`)
	case *ast.FloatNode:
		return c.fail(n, "write whole numbers only")
	case *ast.BuiltinNode:
		return c.fail(n, "there is no function %q%s", n.Name, meant(n.Name, functionNames()))
	}
	return c.fail(n, "write attributes, texts, numbers, functions and comparisons only")
}

func (c *checker) want(n ast.Node, k kind, what string) {
	if given := c.kindOf(n); given != unknown && k != unknown && !k.takes(given) {
		hint := ""
		if name := nameOf(n); k == truth && name != "" {
			hint = fmt.Sprintf(": compare it, such as %s == %q", name, isTrue)
		}
		c.fail(n, "%s must be %s, and this is %s%s", what, k, given, hint)
	}
}

func (c *checker) attribute(n ast.Node) kind {
	name := nameOf(n)
	switch {
	case name == "":
		return c.fail(n, "this is no attribute's name")
	case functions()[spelling(name)].call != nil:
		return c.fail(n, "%s is a function: write %s", spelling(name), functions()[spelling(name)].usage)
	}
	if c.known != nil {
		if err := c.known(name); err != nil {
			return c.fail(n, "%v", err)
		}
	}
	c.attributes[name] = true
	return text
}

func (c *checker) unary(n *ast.UnaryNode) kind {
	switch n.Operator {
	case "not", "!":
		c.want(n.Node, truth, "what stands after "+n.Operator)
		return truth
	case "-", "+":
		c.want(n.Node, number, "what stands after "+n.Operator)
		return number
	}
	return c.fail(n, "%q is not known here", n.Operator)
}

func (c *checker) binary(n *ast.BinaryNode) kind {
	sides := func(k kind) {
		c.want(n.Left, k, "what stands before "+n.Operator)
		c.want(n.Right, k, "what stands after "+n.Operator)
	}
	switch n.Operator {
	case "and", "&&", "or", "||":
		sides(truth)
		return truth
	case "==", "!=", "<", "<=", ">", ">=":
		left := c.kindOf(n.Left)
		if left == list || left == truth && n.Operator[0] != '=' && n.Operator[0] != '!' {
			return c.fail(n.Left, "%s can't be compared so", left)
		}
		c.want(n.Right, left, "what stands after "+n.Operator)
		return truth
	case "contains", "startsWith", "endsWith":
		sides(text)
		return truth
	case "matches":
		c.want(n.Left, text, "what stands before matches")
		c.pattern(n.Right)
		return truth
	case "in":
		return c.among(n)
	case "+":
		left := c.kindOf(n.Left)
		if left != text && left != number && left != unknown {
			return c.fail(n.Left, "only texts and numbers can be added")
		}
		c.want(n.Right, left, "what stands after +")
		return left
	case "-":
		sides(number)
		return number
	}
	return c.fail(n, "%q is not known here", n.Operator)
}

// among checks `department in ["Sales", "Marketing"]`.
func (c *checker) among(n *ast.BinaryNode) kind {
	c.want(n.Left, text, "what stands before in")
	values, ok := n.Right.(*ast.ArrayNode)
	if !ok {
		return c.fail(n.Right, `after "in" stands a list of texts, such as ["Sales", "Marketing"]`)
	}
	for _, v := range values.Nodes {
		if _, ok := v.(*ast.StringNode); !ok {
			return c.fail(v, `after "in" stands a list of texts, such as ["Sales", "Marketing"]`)
		}
	}
	return truth
}

// pattern checks a regular expression, which has to be there when the expression is read: so it costs nothing at a run,
// and its mistakes are found at once.
func (c *checker) pattern(n ast.Node) {
	s, ok := n.(*ast.StringNode)
	if !ok {
		c.fail(n, "a regular expression must be a text in quotes")
		return
	}
	p, err := regexp.Compile(s.Value)
	if err != nil {
		c.fail(n, "the regular expression can't be read: %s", strings.TrimPrefix(err.Error(), "error parsing regexp: "))
		return
	}
	c.patterns[s.Value] = p
}

func (c *checker) call(n *ast.CallNode) kind {
	callee, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(n, "write a function's name before (")
	}
	name := spelling(callee.Value)
	f, ok := functions()[name]
	if why := outOfReach(name); !ok && why != "" {
		return c.fail(n, "%s can't be had here: %s", name, why)
	}
	if !ok {
		return c.fail(n, "there is no function %q%s", callee.Value, meant(callee.Value, functionNames()))
	}
	if len(n.Arguments) < f.least || f.more == unknown && len(n.Arguments) > len(f.params) {
		return c.fail(n, "write %s", f.usage)
	}
	for i, a := range n.Arguments {
		k := f.more
		if i < len(f.params) {
			k = f.params[i]
		}
		c.want(a, k, fmt.Sprintf("argument %d of %s", i+1, name))
	}
	if f.check != nil && c.err == nil {
		f.check(c, n)
	}
	return f.result
}

// meant offers the known name nearest to one that isn't.
func meant(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if strings.EqualFold(k, name) {
			best = k
			break
		}
		if d := distance(strings.ToLower(name), strings.ToLower(k)); d < least && d*2 < len(k) {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// distance is the number of letters to insert, delete, change, or swap with their neighbour, to make b of a.
func distance(a, b string) int {
	const far = 100
	if len(a) > far || len(b) > far {
		return far
	}
	rows := [][]int{make([]int, len(b)+1)}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(rows[i-1][j]+1, row[j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], rows[i-2][j-2]+1)
			}
		}
		rows = append(rows, row)
	}
	return rows[len(a)][len(b)]
}

// literal is the number that a node is; false: it is none, or is worked out.
func literal(n ast.Node) (int, bool) {
	if u, ok := n.(*ast.UnaryNode); ok && u.Operator == "-" {
		v, ok := literal(u.Node)
		return -v, ok
	}
	i, ok := n.(*ast.IntegerNode)
	if !ok {
		return 0, false
	}
	return i.Value, true
}

func functionNames() []string {
	var out []string
	for name := range functions() {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
