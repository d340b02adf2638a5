package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// The defaults of the request log.
const (
	DefaultKeep    = 30 * day
	DefaultMaxRows = 100_000
)

const day = 24 * time.Hour

// RequestLog is what the SCIM request log keeps of each organisation.
type RequestLog struct {
	// Keep is for how long a request is kept.
	Keep time.Duration
	// MaxRows is how many are kept at most, the newest ones.
	MaxRows int
	// Reads says whether requests that read something and were answered are kept too.
	Reads bool
}

func (l *RequestLog) read(s *section) {
	if s == nil {
		return
	}
	keep := formatKeep(l.Keep)
	s.checked("keep", &keep, checkKeep)
	if d, err := parseKeep(keep); err == nil {
		l.Keep = d
	}
	s.number("max_rows", &l.MaxRows, 1_000, 100_000_000)
	s.flag("reads", &l.Reads)
}

func checkKeep(text string) (string, error) {
	d, err := parseKeep(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("%q is not a length of time: write a number and h, d or w, such as 30d", text)
	case d < time.Hour || d > 3660*day:
		return "", fmt.Errorf("%q is not between 1h and 3660d", text)
	}
	return text, nil
}

func parseKeep(text string) (time.Duration, error) {
	for unit, of := range map[string]time.Duration{"h": time.Hour, "d": day, "w": 7 * day} {
		if number, ok := strings.CutSuffix(text, unit); ok {
			n, err := strconv.ParseUint(number, 10, 20)
			return time.Duration(n) * of, err
		}
	}
	return 0, strconv.ErrSyntax
}

func formatKeep(d time.Duration) string {
	if d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	return strconv.Itoa(int(d/time.Hour)) + "h"
}

// number reads a whole number.
func (s *section) number(key string, into *int, least, most int) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	text, isText := scalar(v.node)
	if n, isNumber := v.node.(*ast.IntegerNode); isNumber && n.Token != nil {
		text, isText = n.Token.Value, true
	}
	n, err := strconv.Atoi(text)
	if !isText || err != nil || n < least || n > most {
		s.doc.problemf(v.line, "%s must be a whole number between %d and %d", key, least, most)
		return
	}
	*into = n
}

// flag reads true or false.
func (s *section) flag(key string, into *bool) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	b, isFlag := v.node.(*ast.BoolNode)
	if !isFlag {
		s.doc.problemf(v.line, "%s must be true or false", key)
		return
	}
	*into = b.Value
}
