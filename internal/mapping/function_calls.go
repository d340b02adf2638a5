package mapping

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
	"golang.org/x/text/unicode/norm"
)

// What the functions do. The arguments' kinds were checked when the expression was compiled.

func coalesce(_ patterns, a []any) (any, error) {
	for i := range a {
		if s := str(a, i); s != "" {
			return s, nil
		}
	}
	return "", nil
}

func iif(_ patterns, a []any) (any, error) {
	ok, err := yes(a[0])
	if err != nil {
		return nil, err
	}
	if ok {
		return str(a, 1), nil
	}
	return str(a, 2), nil
}

func not(_ patterns, a []any) (any, error) {
	ok, err := yes(a[0])
	return !ok, err
}

// inStr counts from 1; 0: it isn't there.
func inStr(_ patterns, a []any) (any, error) {
	s, from := []rune(str(a, 0)), 1
	if len(a) > 2 {
		from = max(1, num(a, 2))
	}
	if from > len(s)+1 {
		return 0, nil
	}
	i := strings.Index(string(s[from-1:]), str(a, 1))
	if i < 0 {
		return 0, nil
	}
	return from + utf8.RuneCountInString(string(s[from-1:])[:i]), nil
}

func item(_ patterns, a []any) (any, error) {
	l, _ := a[0].([]string)
	if n := num(a, 1); n >= 1 && n <= len(l) {
		return l[n-1], nil
	}
	return "", nil
}

// join leaves out what is empty, so that no separator stands alone.
func join(_ patterns, a []any) (any, error) {
	var parts []string
	for i, v := range a[1:] {
		l, ok := v.([]string)
		if !ok {
			l = []string{str(a, i+1)}
		}
		for _, s := range l {
			if s != "" {
				parts = append(parts, s)
			}
		}
	}
	size := 0
	for _, s := range parts {
		size += len(s) + len(str(a, 0))
	}
	if size > maxText+len(str(a, 0)) {
		return nil, tooLong()
	}
	return limited(strings.Join(parts, str(a, 0)))
}

func left(_ patterns, a []any) (any, error) {
	s, n := []rune(str(a, 0)), num(a, 1)
	if n < 0 || n > len(s) {
		n = len(s)
	}
	return string(s[:n]), nil
}

func mid(_ patterns, a []any) (any, error) {
	s, start, n := []rune(str(a, 0)), num(a, 1), num(a, 2)
	switch {
	case start < 1:
		return nil, errors.New("mid starts before the first character, which is 1")
	case start > len(s) || n <= 0:
		return "", nil
	}
	return string(s[start-1 : start-1+min(n, len(s)-start+1)]), nil
}

// normalizeDiacritics follows the table of Microsoft's reference: marks go, and what has no plain letter gets two.
func normalizeDiacritics(s string) string {
	var out strings.Builder
	for _, r := range norm.NFD.String(s) {
		if !unicode.Is(unicode.Mn, r) {
			out.WriteRune(r)
		}
	}
	plain := strings.NewReplacer("æ", "ae", "Æ", "AE", "ø", "oe", "Ø", "OE", "œ", "oe", "Œ", "OE", "ß", "ss", "ł", "l", "Ł", "L", "ı", "i")
	return norm.NFC.String(plain.Replace(out.String()))
}

// pcase capitalises words. Without separators a word ends at whatever is no letter, digit or apostrophe.
func pcase(_ patterns, a []any) (any, error) {
	ends := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) && r != '\'' && r != '’'
	}
	if len(a) > 1 {
		ends = func(r rune) bool { return strings.ContainsRune(str(a, 1), r) }
	}
	begin := true
	return limited(strings.Map(func(r rune) rune {
		first := begin
		begin = ends(r)
		if first {
			return unicode.ToUpper(r)
		}
		return unicode.ToLower(r)
	}, str(a, 0)))
}

func regexReplace(p patterns, a []any) (any, error) {
	re, s, with := p[str(a, 1)], str(a, 0), str(a, 2)
	var out []byte
	at := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		out = append(out, s[at:m[0]]...)
		out = re.ExpandString(out, with, s, m)
		if at = m[1]; len(out) > maxText {
			return nil, tooLong()
		}
	}
	return limited(string(append(out, s[at:]...)))
}

func replaceGroup(p patterns, a []any) (any, error) {
	re, s, with := p[str(a, 1)], str(a, 0), str(a, 3)
	group := 2 * re.SubexpIndex(str(a, 2))
	var out []byte
	at := 0
	for _, m := range re.FindAllStringSubmatchIndex(s, -1) {
		if m[group] < at { // the group took no part
			continue
		}
		out = append(append(out, s[at:m[group]]...), with...)
		if at = m[group+1]; len(out) > maxText {
			return nil, tooLong()
		}
	}
	return limited(string(append(out, s[at:]...)))
}

func removeDuplicates(_ patterns, a []any) (any, error) {
	l, _ := a[0].([]string)
	seen, out := map[string]bool{}, []string{}
	for _, s := range l {
		if !seen[s] {
			seen[s] = true
			out = append(out, s)
		}
	}
	return out, nil
}

func replace(_ patterns, a []any) (any, error) {
	s, old, with := str(a, 0), str(a, 1), str(a, 2)
	if old == "" {
		return s, nil
	}
	if len(s)+strings.Count(s, old)*(len(with)-len(old)) > maxText {
		return nil, tooLong()
	}
	return strings.ReplaceAll(s, old, with), nil
}

// split trims its parts, as the reference's example does.
func split(_ patterns, a []any) (any, error) {
	s, by := str(a, 0), str(a, 1)
	switch {
	case s == "":
		return []string{}, nil
	case by == "":
		return []string{s}, nil
	}
	parts := strings.Split(s, by)
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts, nil
}

func choose(_ patterns, a []any) (any, error) {
	value := str(a, 0)
	for i := 2; i+1 < len(a); i += 2 {
		if str(a, i) == value {
			return str(a, i+1), nil
		}
	}
	return str(a, 1), nil
}

func inCase(plain func(string) string, of func(language.Tag) cases.Caser) func(patterns, []any) (any, error) {
	return func(_ patterns, a []any) (any, error) {
		if str(a, 1) == "" {
			return limited(plain(str(a, 0)))
		}
		tag, err := language.Parse(str(a, 1))
		if err != nil {
			return nil, fmt.Errorf("%q is no culture", str(a, 1))
		}
		c := of(tag)
		return limited(c.String(str(a, 0)))
	}
}

func word(_ patterns, a []any) (any, error) {
	words := strings.FieldsFunc(str(a, 0), func(r rune) bool { return strings.ContainsRune(str(a, 2), r) })
	if n := num(a, 1); n >= 1 && n <= len(words) {
		return words[n-1], nil
	}
	return "", nil
}
