package mapping

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/vm"
)

// What bounds an expression: its length in characters, its parts, and the length in bytes of a text that one makes.
const (
	maxExpression = 4096
	maxNodes      = 500
	maxText       = 16 << 10
)

// Expression is a compiled expression. It has no loops, reads nothing but the attributes of one object, and is safe for
// concurrent use.
type Expression struct {
	sources []string
	program *vm.Program
	gives   kind
	bare    bool // nothing but an attribute's name: whatever it holds is passed on
}

// SyntaxError says what is wrong with an expression, and where.
type SyntaxError struct {
	Position int // the character, counted from 1
	Message  string
}

// Error returns the message with its place.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("at character %d: %s", e.Position, e.Message)
}

// NewExpression compiles an expression: attributes by their names, texts in quotes, numbers, the functions that Functions
// lists, comparisons, and, or, not. Known checks the names of attributes; nil: any will do.
func NewExpression(text string, known func(name string) error) (*Expression, error) {
	if n := utf8.RuneCountInString(text); n > maxExpression {
		return nil, &SyntaxError{maxExpression + 1, fmt.Sprintf("it has %d characters, and %d are the most", n, maxExpression)}
	}
	tree, err := parse(text)
	if err != nil {
		return nil, inWords(text, err)
	}
	c := &checker{known: known, attributes: map[string]bool{}, patterns: patterns{}}
	gives := c.kindOf(tree.Node)
	if c.err == nil && gives == list {
		c.fail(tree.Node, "it is a list: take one text of it with Item, or all with Join")
	}
	if c.err != nil {
		return nil, c.err
	}
	e := &Expression{sources: slices.Sorted(maps.Keys(c.attributes)), gives: gives, bare: nameOf(tree.Node) != ""}
	env := make(map[string]any, len(e.sources))
	for _, name := range e.sources {
		env[name] = ""
	}
	if e.program, err = expr.Compile(text, append(options(c.patterns), expr.Env(env), expr.Patch(&names{}))...); err != nil {
		return nil, inWords(text, err)
	}
	return e, nil
}

// options are what the library is told for every expression.
func options(p patterns) []expr.Option {
	out := []expr.Option{expr.DisableAllBuiltins(), expr.DisableIfOperator(), expr.MaxNodes(maxNodes)}
	for name, f := range functions() {
		call := f.call
		result := any(new(func(...any) string))
		switch f.result {
		case truth:
			result = new(func(...any) bool)
		case number:
			result = new(func(...any) int)
		case list:
			result = new(func(...any) []string)
		}
		out = append(out, expr.Function(name, func(args ...any) (any, error) {
			for _, a := range args {
				if s, ok := a.(string); ok && len(s) > maxText {
					return nil, tooLong()
				}
			}
			return call(p, args)
		}, result))
	}
	return out
}

// parse reads an expression's syntax. Malformed text must not be able to end the daemon by a panic of the library.
func parse(text string) (tree *parser.Tree, err error) {
	defer func() {
		if recover() != nil {
			tree, err = nil, errors.New("this is no expression")
		}
	}()
	c := conf.CreateNew()
	for _, option := range options(nil) {
		option(c)
	}
	for name := range c.Disabled {
		delete(c.Builtins, name)
	}
	return parser.ParseWithConfig(text, c)
}

// inWords turns an error of the library into ours.
func inWords(text string, err error) *SyntaxError {
	out := &SyntaxError{1, err.Error()}
	var at *file.Error
	if errors.As(err, &at) {
		out.Position = utf8.RuneCountInString(text[:min(len(text), max(0, byteAt(text, at.From)))]) + 1
		out.Message = at.Message + misspelt(at.Message)
	}
	return out
}

// misspelt is a way out of what people write who know how other languages compare.
func misspelt(message string) string {
	for token, hint := range map[string]string{
		`Operator("=")`: "write == to compare", `Operator("<>")`: "write != for not equal", `Identifier("is")`: "write == to compare",
		`Identifier("AND")`: "write and", `Identifier("OR")`: "write or", `Identifier("NOT")`: "write not",
	} {
		if strings.Contains(message, token) {
			return ": " + hint
		}
	}
	return ""
}

// byteAt is where a character begins.
func byteAt(text string, character int) int {
	for i := range text {
		if character == 0 {
			return i
		}
		character--
	}
	return len(text)
}

// Sources returns the names of the attributes that the expression reads, sorted.
func (e *Expression) Sources() []string { return e.sources }

// Text works the expression out for one object. An attribute that the object doesn't have is an empty text.
func (e *Expression) Text(get func(name string) string) (string, error) {
	v, err := e.value(get)
	if err != nil {
		return "", err
	}
	s := asText(v)
	if len(s) > maxText && !e.bare {
		return "", tooLong()
	}
	return s, nil
}

func (e *Expression) value(get func(name string) string) (any, error) {
	env := make(map[string]any, len(e.sources))
	for _, name := range e.sources {
		env[name] = get(name)
	}
	v, err := vm.Run(e.program, env)
	if err != nil {
		var at *file.Error
		switch {
		case errors.As(err, &at) && at.Prev != nil:
			return nil, at.Prev
		case errors.As(err, &at):
			return nil, errors.New(at.Message)
		}
		return nil, err
	}
	return v, nil
}

func tooLong() error { return fmt.Errorf("a text is longer than %d bytes", maxText) }

// asText is a value as Entra writes it: True and False for what is one or the other.
func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case bool:
		if v {
			return isTrue
		}
		return isFalse
	case int:
		return fmt.Sprint(v)
	case []string:
		return strings.Join(v, ",")
	}
	return ""
}

// names makes of the names that a person writes those that the library looks up: functions in their own spelling, and an
// attribute within another as one name.
type names struct{}

// Visit renames one node.
func (*names) Visit(n *ast.Node) {
	switch node := (*n).(type) {
	case *ast.CallNode:
		if callee, ok := node.Callee.(*ast.IdentifierNode); ok {
			callee.Value = spelling(callee.Value)
		}
	case *ast.MemberNode:
		if name := nameOf(node); name != "" {
			ast.Patch(n, &ast.IdentifierNode{Value: name})
		}
	}
}

// nameOf is the attribute that a node names; empty: it is something else.
func nameOf(n ast.Node) string {
	switch n := n.(type) {
	case *ast.IdentifierNode:
		return n.Value
	case *ast.MemberNode:
		inner := nameOf(n.Node)
		if leaf, ok := n.Property.(*ast.StringNode); ok && inner != "" && !n.Optional && !n.Method {
			return inner + "." + leaf.Value
		}
	}
	return ""
}
