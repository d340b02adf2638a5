package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"github.com/rosterd/rosterd/internal/api/client"
)

// changedFile is what was done to a configuration file.
type changedFile struct {
	File    string               `json:"file"`
	Changed []string             `json:"changed"`
	Left    []client.MappingLeft `json:"left"`
}

// writeMapping changes the lines of a connection's mapping in a configuration file.
func (p *program) writeMapping(file string, m *client.JobMapping) error {
	path, err := filepath.EvalSymlinks(file)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	after, changed, err := withMapping(string(text), m)
	if err != nil {
		return fmt.Errorf("%s was not changed: %w; without --write the lines are printed, to be pasted", file, err)
	}
	if len(changed) > 0 {
		if err := replaceFile(path, after); err != nil {
			return fmt.Errorf("write the configuration: %w", err)
		}
	}
	if p.json {
		return p.printJSON(changedFile{file, orEmpty(changed), orEmpty(m.Left)})
	}
	var b strings.Builder
	leftLines(&b, m)
	if len(changed) == 0 {
		return p.print(b.String() + printable(file) + " maps so already.\n")
	}
	fill(&b, "", fmt.Sprintf("Changed %s: %s. Restart the daemon to have it read; the first run after that is guarded like a first one.",
		oneLine(file), strings.Join(changed, ", ")))
	return p.print(b.String())
}

// replaceFile puts a text in the place of a file's, all at once, with the same owner and permissions.
func replaceFile(path, text string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(f.Name()) }() // nothing is there any more after the renaming
	_, err = f.WriteString(text)
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
		err = f.Chown(int(owner.Uid), int(owner.Gid))
	}
	if err == nil {
		err = f.Chmod(info.Mode().Perm())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// yamlEdit changes single lines of a YAML text; everything else in it stays byte for byte.
type yamlEdit struct {
	lines []string // with their ends
	eol   string
	after map[int][]string // lines to put in, by the number of the line before
}

// withMapping is a configuration whose connection has these lines in its mapping, and the targets that changed. A line of
// the file for what the job does not send stays.
func withMapping(text string, m *client.JobMapping) (after string, changed []string, err error) {
	entry, err := connectionIn(text, m.Organisation, m.Connection)
	if err != nil {
		return "", nil, err
	}
	e := &yamlEdit{lines: slices.Collect(strings.Lines(text)), eol: "\n", after: map[int][]string{}}
	if len(e.lines) > 0 && strings.HasSuffix(e.lines[0], "\r\n") {
		e.eol = "\r\n"
	}
	if changed, err = e.section(entry, m.Mapping); err != nil || len(changed) == 0 {
		return text, nil, err
	}
	after = e.text()
	again, err := connectionIn(after, m.Organisation, m.Connection)
	if err != nil {
		return "", nil, err
	}
	section, _ := settingsOf(again["mapping"])
	for _, l := range m.Mapping {
		if got, ok := sourceOf(section[l.Target]); !l.Unsent && (!ok || got != l.Source) {
			return "", nil, fmt.Errorf("its mapping of %s can't be changed line by line", l.Target)
		}
	}
	return after, changed, nil
}

// section changes the mapping of an entry, or gives it one, and returns the targets that it changed.
func (e *yamlEdit) section(entry map[string]*ast.MappingValueNode, lines []client.MappingLine) ([]string, error) {
	head, kind := entry["mapping"], entry["kind"]
	if kind == nil || lineOf(kind.Key) == 0 || lineOf(kind.Value) != lineOf(kind.Key) {
		return nil, errors.New("the connection's kind stands on no line of its own")
	}
	column := kind.Key.GetToken().Position.Column
	last, indent := lineOf(kind.Key), strings.Repeat(" ", column+1)
	var settings map[string]*ast.MappingValueNode
	if head == nil {
		e.after[last] = append(e.after[last], strings.Repeat(" ", column-1)+"mapping:")
	} else {
		last = lineOf(head.Key)
		if head.Value != nil && head.Value.Type() != ast.NullType {
			var block bool
			if settings, block = settingsOf(head); !block {
				return nil, fmt.Errorf("its mapping, in line %d, is not written one line for each attribute", last)
			}
		}
	}
	for _, s := range settings {
		indent = strings.Repeat(" ", s.Key.GetToken().Position.Column-1)
		if e.valueOf(s) != "" {
			last = max(last, lineOf(s.Key))
		}
	}
	var changed []string
	for _, l := range lines {
		s := settings[l.Target]
		switch had, _ := sourceOf(s); {
		case s == nil:
			e.after[last] = append(e.after[last], indent+yamlKey(l.Target)+": "+yamlValue(l.Source))
		case l.Unsent || had == l.Source:
			continue
		default:
			if err := e.replace(fromOf(s), yamlValue(l.Source)); err != nil {
				return nil, err
			}
		}
		changed = append(changed, l.Target)
	}
	return changed, nil
}

// valueOf is a value as its line has it, which ends there; empty: it doesn't, or is no plain or quoted text.
func (e *yamlEdit) valueOf(s *ast.MappingValueNode) string {
	line := lineOf(s.Key)
	if lineOf(s.Value) != line || line < 1 || line > len(e.lines) {
		return ""
	}
	column := s.Value.GetToken().Position.Column
	letters := []rune(strings.TrimRight(e.lines[line-1], "\r\n"))
	if column < 1 || column > len(letters) {
		return ""
	}
	rest := string(letters[column-1:])
	text, ok := s.Value.(*ast.StringNode)
	switch {
	case !ok:
		return ""
	case rest[0] == '\'':
		for i := 1; i < len(rest); i++ {
			if rest[i] == '\'' && strings.HasPrefix(rest[i+1:], "'") {
				i++
			} else if rest[i] == '\'' {
				return rest[:i+1]
			}
		}
		return ""
	case rest[0] == '"':
		for i := 1; i < len(rest); i++ {
			if rest[i] == '\\' {
				i++
			} else if rest[i] == '"' {
				return rest[:i+1]
			}
		}
		return ""
	case strings.HasPrefix(rest, text.Value):
		return text.Value
	}
	return ""
}

func (e *yamlEdit) replace(s *ast.MappingValueNode, value string) error {
	line, had := lineOf(s.Key), e.valueOf(s)
	if had == "" {
		return fmt.Errorf("line %d has no value that ends there", line)
	}
	letters := []rune(e.lines[line-1])
	before := string(letters[:s.Value.GetToken().Position.Column-1])
	e.lines[line-1] = before + value + strings.TrimPrefix(e.lines[line-1][len(before):], had)
	return nil
}

func (e *yamlEdit) text() string {
	var b strings.Builder
	for i, line := range e.lines {
		b.WriteString(line)
		more := e.after[i+1]
		if len(more) > 0 && !strings.HasSuffix(line, "\n") {
			b.WriteString(e.eol)
		}
		for _, l := range more {
			b.WriteString(l + e.eol)
		}
	}
	return b.String()
}

// connectionIn finds the settings of a connection's entry in a configuration.
func connectionIn(text, org, name string) (map[string]*ast.MappingValueNode, error) {
	root, err := yamlRoot(text)
	if err != nil {
		return nil, err
	}
	settings, _ := settingsIn(root)
	if c := settings["connections"]; c != nil {
		if list, ok := c.Value.(*ast.SequenceNode); ok && !list.IsFlowStyle {
			for _, node := range list.Values {
				entry, block := settingsIn(node)
				owner, _ := textOf(entry["organisation"])
				called, _ := textOf(entry["name"])
				if owner != org || called != name {
					continue
				}
				if !block {
					return nil, fmt.Errorf("its connection %s is written in braces", name)
				}
				return entry, nil
			}
		}
	}
	return nil, fmt.Errorf("it has no connection %s of organisation %s", name, org)
}

// yamlRoot turns a panic of the parser, which some malformed texts cause, into an error.
func yamlRoot(text string) (root ast.Node, err error) {
	broken := errors.New("it is not YAML that can be read") // the parser's own words hold a piece of the file
	defer func() {
		if recover() != nil {
			root, err = nil, broken
		}
	}()
	file, err := parser.ParseBytes([]byte(text), 0)
	if err != nil {
		return nil, broken
	}
	for _, doc := range file.Docs {
		if doc != nil && doc.Body != nil && doc.Body.Type() != ast.CommentType {
			return doc.Body, nil
		}
	}
	return nil, broken
}

func settingsOf(s *ast.MappingValueNode) (settings map[string]*ast.MappingValueNode, block bool) {
	if s == nil {
		return nil, false
	}
	return settingsIn(s.Value)
}

// settingsIn are a node's, by their keys; block: each stands on lines of its own.
func settingsIn(n ast.Node) (settings map[string]*ast.MappingValueNode, block bool) {
	var all []*ast.MappingValueNode
	switch n := n.(type) {
	case *ast.MappingNode:
		all, block = n.Values, !n.IsFlowStyle
	case *ast.MappingValueNode:
		all, block = []*ast.MappingValueNode{n}, true
	}
	settings = map[string]*ast.MappingValueNode{}
	for _, s := range all {
		if s != nil && s.Key != nil && s.Key.GetToken() != nil && s.Value != nil {
			settings[s.Key.GetToken().Value] = s
		}
	}
	return settings, block
}

func textOf(s *ast.MappingValueNode) (string, bool) {
	if s == nil {
		return "", false
	}
	text, ok := s.Value.(*ast.StringNode)
	if !ok {
		return "", false
	}
	return text.Value, true
}

// lineOf is where a node begins, counted from 1; 0: nowhere.
func lineOf(n ast.Node) int {
	if n == nil || n.GetToken() == nil || n.GetToken().Position == nil {
		return 0
	}
	return n.GetToken().Position.Line
}
