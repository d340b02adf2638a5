package scimserver

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// lowering turns a filter of the protocol (RFC 7644, section 3.4.2.2) into one that the store answers by its columns.
// Where a column says a little more than the attribute, wide is set: what the store finds has then to be checked.
//
//	attribute                       column                                  wide
//	id, externalId                  the same, bytewise                      for co, sw, ew: SQLite's LIKE ignores case
//	userName                        its folded key                          no
//	displayName of a group          its folded key                          no
//	displayName of a user           what is shown, so never empty           yes
//	name.givenName, .familyName     the same                                no
//	emails, emails.value            the work address, or primary, or first  yes
//	emails[type eq "work"].value    the same                                yes
//	active, meta.created, meta.lastModified                                 no
//	members of a group              the memberships that count              no
type lowering struct {
	users bool
	wide  bool
}

func (l *lowering) fields() map[string]roster.Field {
	out := map[string]roster.Field{
		"id": roster.FieldID, "externalId": roster.FieldExternalID, "displayName": roster.FieldDisplayName,
		"meta.created": roster.FieldCreated, "meta.lastModified": roster.FieldModified,
	}
	if !l.users {
		out["members.value"] = roster.FieldMember
		out["members"] = roster.FieldMember
		return out
	}
	out["userName"], out["active"] = roster.FieldUserName, roster.FieldActive
	out["name.givenName"], out["name.familyName"] = roster.FieldGivenName, roster.FieldFamilyName
	out["emails.value"], out["emails"] = roster.FieldEmail, roster.FieldEmail
	return out
}

func notYet(what string) error {
	return scim.InvalidFilter("%s can't be filtered on", clip(what))
}

// lower lowers one term; negated says that it stands under a "not", where checking what was found would not help.
func (l *lowering) lower(f scim.Filter, negated bool) (roster.Filter, error) {
	switch f := f.(type) {
	case scim.And:
		return l.all(roster.And, f.Terms, negated)
	case scim.Or:
		return l.all(roster.Or, f.Terms, negated)
	case scim.Not:
		return l.all(roster.Not, []scim.Filter{f.Term}, !negated)
	case scim.Present:
		return l.present(f, negated)
	case scim.Compare:
		return l.compare(f, negated)
	case scim.ValuePath:
		return l.valuePath(f, negated)
	}
	return roster.Filter{}, notYet(f.String())
}

func (l *lowering) all(op roster.FilterOp, terms []scim.Filter, negated bool) (roster.Filter, error) {
	out := roster.Filter{Op: op}
	for _, t := range terms {
		sub, err := l.lower(t, negated)
		if err != nil {
			return roster.Filter{}, err
		}
		out.Sub = append(out.Sub, sub)
	}
	return out, nil
}

// field finds the column for a path.
func (l *lowering) field(p scim.Path) (roster.Field, error) {
	if f, ok := l.fields()[p.String()]; ok && p.Known() {
		return f, nil
	}
	return "", notYet(p.String())
}

// widen notes that the store will find too much. For groups, and under a "not", that can't be put right.
func (l *lowering) widen(f scim.Filter, negated bool) error {
	if negated || !l.users {
		return notYet("by " + f.String())
	}
	l.wide = true
	return nil
}

func (l *lowering) present(f scim.Present, negated bool) (roster.Filter, error) {
	field, err := l.field(f.Path)
	if err == nil && (field == roster.FieldEmail || field == roster.FieldDisplayName && l.users) {
		err = l.widen(f, negated)
	}
	return roster.Filter{Op: roster.Present, Field: field}, err
}

func (l *lowering) compare(f scim.Compare, negated bool) (roster.Filter, error) {
	field, err := l.field(f.Path)
	if err != nil {
		return roster.Filter{}, err
	}
	out := roster.Filter{Op: roster.FilterOp(f.Op), Field: field}
	substring := f.Op == scim.Contains || f.Op == scim.StartsWith || f.Op == scim.EndsWith
	switch field {
	case roster.FieldActive:
		on, ok := f.Value.(bool)
		if !ok || (f.Op != scim.Equal && f.Op != scim.NotEqual) {
			return roster.Filter{}, scim.InvalidFilter("active is compared by eq or ne with true or false")
		}
		out.Bool = on
		return out, nil
	case roster.FieldCreated, roster.FieldModified:
		return l.compareTime(f, out, substring)
	case roster.FieldMember:
		if f.Op != scim.Equal {
			return roster.Filter{}, notYet("members by " + string(f.Op))
		}
	case roster.FieldEmail:
		if f.Op != scim.Equal {
			return roster.Filter{}, notYet("emails by " + string(f.Op))
		}
		err = l.widen(f, negated)
	case roster.FieldDisplayName:
		if l.users {
			err = l.widen(f, negated || f.Op == scim.NotEqual)
		}
	case roster.FieldID, roster.FieldExternalID:
		if substring {
			err = l.widen(f, negated)
		}
	}
	if err != nil {
		return roster.Filter{}, err
	}
	out.Text, err = comparedText(f)
	return out, err
}

func (l *lowering) compareTime(f scim.Compare, out roster.Filter, substring bool) (roster.Filter, error) {
	text, err := comparedText(f)
	if err != nil {
		return roster.Filter{}, err
	}
	if out.Time, err = time.Parse(time.RFC3339Nano, text); err != nil {
		out.Time, err = time.Parse("2006-01-02T15:04:05.999999999", text) // xsd:dateTime without a zone: UTC
	}
	if err != nil || substring {
		return roster.Filter{}, scim.InvalidFilter("%s is compared by eq, ne, gt, ge, lt or le with a time like 2011-05-13T04:42:34Z", f.Path)
	}
	return out, nil
}

// comparedText is the value of a comparison of text, as a database can take it.
func comparedText(f scim.Compare) (string, error) {
	text, ok := f.Value.(string)
	switch {
	case !ok:
		return "", scim.InvalidFilter("%s is compared with text in double quotes", f.Path)
	case !utf8.ValidString(text) || strings.ContainsRune(text, 0):
		return "", scim.InvalidFilter("%s is compared with something that is not text", f.Path)
	}
	return text, nil
}

// valuePath lowers emails[type eq "work" and value eq "x"], also as emails[type eq "work"].value eq "x", and
// members[value eq "x"].
func (l *lowering) valuePath(f scim.ValuePath, negated bool) (roster.Filter, error) {
	terms := []scim.Filter{f.Filter}
	if and, ok := f.Filter.(scim.And); ok {
		terms = and.Terms
	}
	var value *scim.Compare
	for _, t := range terms {
		c, ok := t.(scim.Compare)
		switch {
		case ok && c.Path.Sub == "value" && value == nil:
			value = &c
		case ok && c.Path.Sub == "type" && c.Op == scim.Equal && f.Path.Attr == "emails" && isWork(c.Value):
		default:
			return roster.Filter{}, notYet(f.String())
		}
	}
	if value == nil {
		return roster.Filter{}, notYet(f.String())
	}
	return l.compare(*value, negated)
}

func isWork(v any) bool {
	s, _ := v.(string)
	return strings.EqualFold(s, "work")
}
