package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// maxFile bounds the configuration file, far above any real one.
const maxFile = 4 << 20

// document is one YAML file while it is read: it collects the problems with their lines.
type document struct {
	file     string
	env      func(string) (string, bool)
	problems []problem
}

type problem struct {
	line int
	text string
}

func (d *document) problemf(line int, format string, args ...any) {
	d.problems = append(d.problems, problem{line, fmt.Sprintf(format, args...)})
}

// errors returns the problems in the order of the file.
func (d *document) errors() []error {
	slices.SortStableFunc(d.problems, func(a, b problem) int { return a.line - b.line })
	all := make([]error, 0, len(d.problems))
	for _, p := range d.problems {
		all = append(all, fmt.Errorf("%s:%d: %s", d.file, max(p.line, 1), p.text))
	}
	return all
}

// parse returns the document's root, nil where there is none or it cannot be read.
func (d *document) parse(text []byte) ast.Node {
	if len(text) > maxFile {
		d.problemf(1, "the file is larger than %d bytes", maxFile)
		return nil
	}
	file, err := parseYAML(text)
	if err != nil {
		line, message := syntaxProblem(err)
		if bareCron(text, line) {
			message = `an expression that begins with * or @ must stand in double quotes, such as "*/5 * * * *"`
		}
		d.problemf(line, "%s", message)
		return nil
	}
	var root ast.Node
	for _, doc := range file.Docs {
		switch {
		case doc == nil || doc.Body == nil || doc.Body.Type() == ast.CommentType:
		case root != nil:
			d.problemf(lineOf(doc.Body), "a second document starts here: write one document only")
		default:
			root = doc.Body
		}
	}
	if root == nil || root.Type() == ast.NullType {
		return nil
	}
	return root
}

// parseYAML turns a panic of the parser, which some malformed texts cause, into an error.
func parseYAML(text []byte) (file *ast.File, err error) {
	defer func() {
		if recover() != nil {
			file, err = nil, errors.New("this is not YAML")
		}
	}()
	return parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
}

// syntaxProblem takes the line and the message out of a parser's error, without the excerpt of the file that its text
// carries: that could hold a secret.
func syntaxProblem(err error) (int, string) {
	var syntax yaml.Error
	if !errors.As(err, &syntax) {
		return 1, "this is not YAML"
	}
	line := 1
	if tok := syntax.GetToken(); tok != nil && tok.Position != nil {
		line = tok.Position.Line
	}
	message, _, _ := strings.Cut(syntax.GetMessage(), "\n")
	return line, "YAML syntax: " + message
}

// bareCron reports whether a line that is no YAML has a cron expression without quotes, whose first letter means something
// else to YAML.
func bareCron(text []byte, line int) bool {
	lines := bytes.Split(text, []byte("\n"))
	return line <= len(lines) && matches(`\b(delta|full):\s+[*@]`, string(lines[line-1]))
}

func lineOf(n ast.Node) int {
	if n == nil {
		return 1
	}
	var tok *token.Token
	if entry, ok := n.(*ast.MappingValueNode); ok && entry.Key != nil {
		tok = entry.Key.GetToken()
	} else if m, ok := n.(*ast.MappingNode); ok && len(m.Values) > 0 {
		return lineOf(m.Values[0])
	} else {
		tok = n.GetToken()
	}
	if tok == nil || tok.Position == nil {
		return 1
	}
	return tok.Position.Line
}

// section is one mapping of the document.
type section struct {
	doc    *document
	name   string // how messages call it
	line   int
	values map[string]setting
}

type setting struct {
	line int
	node ast.Node
}

// section reads node as a mapping that has no other keys than these, and returns nil where it is none.
func (d *document) section(node ast.Node, name string, keys ...string) *section {
	var entries []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		entries = n.Values
	case *ast.MappingValueNode:
		entries = []*ast.MappingValueNode{n}
	default:
		d.problemf(lineOf(node), "%s must be settings, each written as key: value (known: %s)", name, strings.Join(keys, ", "))
		return nil
	}
	s := &section{doc: d, name: name, line: lineOf(node), values: map[string]setting{}}
	for _, entry := range entries {
		if entry != nil && entry.Key != nil {
			s.add(entry, keys)
		}
	}
	return s
}

func (s *section) add(entry *ast.MappingValueNode, keys []string) {
	line, key := lineOf(entry), keyText(entry.Key)
	if earlier, twice := s.values[key]; twice {
		s.doc.problemf(line, "%s is set twice, first in line %d: keep one", key, earlier.line)
		return
	}
	if !slices.Contains(keys, key) {
		s.doc.problemf(line, "unknown key %q in %s%s", key, s.name, didYouMean(key, keys))
		return
	}
	s.values[key] = setting{line, entry.Value}
}

func keyText(key ast.MapKeyNode) string {
	if text, ok := key.(*ast.StringNode); ok {
		return text.Value
	}
	if tok := key.GetToken(); tok != nil {
		return tok.Value
	}
	return ""
}

// get returns the setting of that key; one that is null, or empty text, counts as left out.
func (s *section) get(key string) (setting, bool) {
	v, ok := s.values[key]
	if !ok || v.node == nil || v.node.Type() == ast.NullType {
		return v, false
	}
	if text, isText := scalar(v.node); isText && text == "" {
		return v, false
	}
	return v, true
}

// scalar returns the text of a node that is a text.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		if n.Value == nil {
			return "", true
		}
		return n.Value.Value, true
	}
	return "", false
}

// raw returns the text of a key that may hold a secret: no message of it repeats the value.
func (s *section) raw(key string) (text string, line int, ok bool) {
	v, ok := s.get(key)
	if !ok {
		return "", v.line, false
	}
	text, ok = scalar(v.node)
	if !ok {
		s.doc.problemf(v.line, "%s must be text: %s", key, howToQuote(v.node))
	}
	return text, v.line, ok
}

func howToQuote(node ast.Node) string {
	switch node.Type() {
	case ast.IntegerType, ast.FloatType, ast.BoolType, ast.InfinityType, ast.NanType:
		return "put it in double quotes"
	case ast.AnchorType, ast.AliasType, ast.MergeKeyType, ast.TagType:
		return "write the value itself, without anchors, aliases and tags"
	}
	return "write one value"
}

// text returns the text of a key in which no reference is expanded.
func (s *section) text(key string) (text string, line int, ok bool) {
	text, line, ok = s.raw(key)
	if ok && strings.Contains(text, "${") {
		s.doc.problemf(line, "%s takes no reference: ${...} works in client_secret, certificate, access_token, api_token, token, private_key, password, secret, headers, url of alerts and database_url only; write the value", key)
		return "", line, false
	}
	return text, line, ok
}

// checked reads a text into into, after check has passed it and perhaps rewritten it.
func (s *section) checked(key string, into *string, check func(string) (string, error)) {
	text, line, ok := s.text(key)
	if !ok {
		return
	}
	text, err := check(text)
	if err != nil {
		s.doc.problemf(line, "%s %v", key, err)
		return
	}
	*into = text
}

// required is checked for a key that may not be left out; example says what to write.
func (s *section) required(key string, into *string, example string, check func(string) (string, error)) {
	if _, ok := s.get(key); !ok {
		s.missing(key, example)
		return
	}
	s.checked(key, into, check)
}

func (s *section) missing(key, example string) {
	line := s.line
	if v, ok := s.values[key]; ok {
		line = v.line
	}
	s.doc.problemf(line, "%s is missing in %s: write %s: %s", key, s.name, key, example)
}
