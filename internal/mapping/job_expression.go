package mapping

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep functions may stand in each other.
const maxDepth = 50

// entraExpression reads an expression as Entra writes it (Microsoft's "Reference for writing expressions for attribute
// mappings in Microsoft Entra ID", "Syntax overview"), and writes it as expressions here are.
type entraExpression struct {
	text  string
	at    int
	depth int
}

// part is a part of one, as it is written here.
type part struct {
	text  string
	attr  bool    // nothing but an attribute
	value *string // a text in quotes
}

// translate gives an expression of Entra's as a mapping's source: an attribute's name, or "= " and an expression.
func translate(text string) (string, error) {
	x := &entraExpression{text: text}
	p, err := x.comparison()
	if err != nil {
		return "", err
	}
	if x.space(); x.at < len(x.text) {
		return "", x.wrong("something stands after its end")
	}
	if p.attr {
		return p.text, nil
	}
	return "= " + p.text, nil
}

func (x *entraExpression) wrong(what string) error {
	return fmt.Errorf("at character %d: %s", utf8.RuneCountInString(x.text[:x.at])+1, what)
}

func (x *entraExpression) space() {
	x.at = len(x.text) - len(strings.TrimLeft(x.text[x.at:], " \t\r\n"))
}

// take reports whether this comes next, and goes past it.
func (x *entraExpression) take(s string) bool {
	x.space()
	if strings.HasPrefix(x.text[x.at:], s) {
		x.at += len(s)
		return true
	}
	return false
}

// comparison reads one value, or two with a sign between them.
func (x *entraExpression) comparison() (part, error) {
	left, err := x.one()
	if err != nil {
		return left, err
	}
	for _, sign := range [][2]string{{"<>", "!="}, {"<=", "<="}, {">=", ">="}, {"==", "=="}, {"=", "=="}, {"<", "<"}, {">", ">"}} {
		if x.take(sign[0]) {
			right, err := x.one()
			return part{text: left.text + " " + sign[1] + " " + right.text}, err
		}
	}
	return left, nil
}

func (x *entraExpression) one() (part, error) {
	x.space()
	rest := x.text[x.at:]
	switch {
	case rest == "":
		return part{}, x.wrong("it ends where a value is missing")
	case rest[0] == '"':
		return x.quoted()
	case rest[0] == '[':
		return x.attribute()
	}
	word := regexp.MustCompile(`^-?[0-9]+|^[A-Za-z_][A-Za-z0-9_]*`).FindString(rest)
	x.at += len(word)
	switch {
	case word == "":
		return part{}, x.wrong("neither an attribute in [ ], nor a text in quotes, a number or a function")
	case strings.EqualFold(word, isTrue):
		return literalPart(isTrue), nil
	case strings.EqualFold(word, isFalse):
		return literalPart(isFalse), nil
	case word[0] == '-' || word[0] <= '9':
		return part{text: word}, nil
	}
	if !x.take("(") {
		return part{}, x.wrong(word + " is followed by no (")
	}
	return x.call(word)
}

func literalPart(s string) part { return part{text: strconv.Quote(s), value: &s} }

// quoted reads a text. A backslash stands before a backslash or a quote; before anything else it is a letter.
func (x *entraExpression) quoted() (part, error) {
	var out strings.Builder
	for i := x.at + 1; i < len(x.text); i++ {
		switch c := x.text[i]; {
		case c == '"':
			x.at = i + 1
			return literalPart(storable(out.String())), nil
		case c == '\\' && i+1 < len(x.text) && (x.text[i+1] == '"' || x.text[i+1] == '\\'):
			i++
			out.WriteByte(x.text[i])
		default:
			out.WriteByte(c)
		}
	}
	return part{}, x.wrong("the quote is not closed")
}

func (x *entraExpression) attribute() (part, error) {
	end := strings.IndexByte(x.text[x.at:], ']')
	if end < 0 {
		return part{}, x.wrong("the [ is not closed")
	}
	name := strings.TrimSpace(x.text[x.at+1 : x.at+end])
	if !regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.]*$`).MatchString(name) {
		return part{}, x.wrong(fmt.Sprintf("[%s] can't be read here", name))
	}
	x.at += end + 1
	return part{text: graphName(name), attr: true}, nil
}

// call reads a function's arguments, some of which may be left out, and writes the call.
func (x *entraExpression) call(name string) (part, error) {
	if x.depth++; x.depth > maxDepth {
		return part{}, x.wrong("functions stand too deep in each other")
	}
	defer func() { x.depth-- }()
	var args []*part
	for {
		var arg *part
		if x.space(); x.at < len(x.text) && x.text[x.at] != ',' && x.text[x.at] != ')' {
			p, err := x.comparison()
			if err != nil {
				return p, err
			}
			arg = &p
		}
		args = append(args, arg)
		if x.take(",") {
			continue
		}
		if !x.take(")") {
			return part{}, x.wrong("a , or ) is missing in " + name)
		}
		break
	}
	if strings.EqualFold(name, "Replace") {
		text, err := replaceCall(args)
		return part{text: text}, err
	}
	for len(args) > 0 && args[len(args)-1] == nil && !strings.EqualFold(name, "Switch") {
		args = args[:len(args)-1]
	}
	texts := make([]string, len(args))
	for i, a := range args {
		if texts[i] = `""`; a != nil {
			texts[i] = a.text
		}
	}
	return part{text: spelling(name) + "(" + strings.Join(texts, ", ") + ")"}, nil
}

// replaceCall writes Entra's Replace(source, oldValue, regexPattern, regexGroupName, replacementValue,
// replacementAttributeName, template), which is three functions here.
func replaceCall(args []*part) (string, error) {
	all := make([]*part, 7)
	if len(args) < 2 || len(args) > len(all) {
		return "", fmt.Errorf("Replace has %d arguments, and seven are known", len(args)) //nolint:staticcheck // the function's name
	}
	copy(all, args)
	source, old, pattern, group, with := all[0], all[1], all[2], all[3], all[4]
	switch {
	case source == nil:
		return "", errors.New("Replace has no source") //nolint:staticcheck // the function's name
	case all[5] != nil || all[6] != nil:
		return "", errors.New("Replace with an attribute or a template to put in can't be had here") //nolint:staticcheck // likewise
	case old != nil && pattern != nil:
		return "", errors.New("Replace has both an old value and a pattern") //nolint:staticcheck // likewise
	}
	if with == nil {
		with = &part{text: `""`}
	}
	switch {
	case old != nil:
		return fmt.Sprintf("Replace(%s, %s, %s)", source.text, old.text, with.text), nil
	case pattern == nil:
		return "", errors.New("Replace has neither an old value nor a pattern") //nolint:staticcheck // likewise
	case group != nil:
		return fmt.Sprintf("ReplaceGroup(%s, %s, %s, %s)", source.text, pattern.text, group.text, with.text), nil
	}
	if with.value != nil {
		text, err := groupsOf(*with.value)
		if err != nil {
			return "", err
		}
		with = &part{text: strconv.Quote(text)}
	}
	return fmt.Sprintf("RegexReplace(%s, %s, %s)", source.text, pattern.text, with.text), nil
}

// groupsOf writes references to groups as Go reads them: in .NET $1st is the first group and "st", in Go a group "1st".
func groupsOf(with string) (string, error) {
	if rest := regexp.MustCompile(`\$\$|\$[0-9]+|\$\{[A-Za-z0-9_]+\}`).ReplaceAllString(with, ""); strings.Contains(rest, "$") {
		return "", fmt.Errorf("what %q puts in can't be had here: only groups can", with)
	}
	return regexp.MustCompile(`(\$\$)|\$([0-9]+)`).ReplaceAllStringFunc(with, func(s string) string {
		if s == "$$" {
			return s
		}
		return "${" + s[1:] + "}"
	}), nil
}

// graphName is the name that Graph gives an attribute of Entra's provisioning (docs/mapping.md); another's is its own.
func graphName(name string) string {
	for theirs, graph := range map[string]string{
		"originalUserPrincipalName": "userPrincipalName", "telephoneNumber": "businessPhones", "mobile": "mobilePhone",
		"facsimileTelephoneNumber": "faxNumber", "physicalDeliveryOfficeName": "officeLocation", "immutableId": "onPremisesImmutableId",
	} {
		if strings.EqualFold(theirs, name) {
			return graph
		}
	}
	for _, known := range slices.AppendSeq(EntraSources(), maps.Keys(entraStates())) {
		if _, leaf, inner := strings.Cut(known, "."); strings.EqualFold(known, name) || inner && strings.EqualFold(leaf, name) {
			return known
		}
	}
	return name
}
