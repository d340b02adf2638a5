package scimserver

import (
	"encoding/json"
	"strings"

	"github.com/rosterd/rosterd/internal/roster"
	"github.com/rosterd/rosterd/scimserver/scim"
)

// lowering turns a filter of the protocol (RFC 7644, section 3.4.2.2) into one that the store answers in SQL. What it
// means is said by scim.Match: both find the same resources.
//
//	attribute                                 where it is
//	id, externalId, meta.created and the like columns
//	userName, a group's displayName           columns of folded keys
//	active                                    the status
//	meta.location, meta.version               made of the id, of the version
//	schemas, meta.resourceType                known, but for extensions that have values
//	groups of a user, members of a group      the memberships that count
//	everything else of a user                 the search document
//	what the type doesn't define, password    nowhere: it has no value
type lowering struct {
	t *scim.ResourceType
	// users says that the resources are Users, else Groups; location is what stands before their ids, references before
	// those of a User's groups or a Group's members.
	users                bool
	location, references string
	nested               string // stands before the ids of groups within a group
}

func (x *exchange) lowering(t *scim.ResourceType) lowering {
	l := lowering{t: t, users: t.Schema.ID == scim.UserURN, location: x.location(t, "")}
	l.references, l.nested = x.location(x.users(), ""), x.location(x.s.groups, "")
	if l.users {
		l.references = l.nested
	}
	return l
}

func everybody() roster.Filter { return roster.Filter{Op: roster.All} }

func nobody() roster.Filter { return roster.Filter{Op: roster.None} }

func constant(yes bool) roster.Filter {
	if yes {
		return everybody()
	}
	return nobody()
}

// lower lowers a filter or one of its terms.
func (l lowering) lower(f scim.Filter) roster.Filter {
	switch f := f.(type) {
	case scim.And:
		return l.all(roster.And, f.Terms)
	case scim.Or:
		return l.all(roster.Or, f.Terms)
	case scim.Not:
		return l.all(roster.Not, []scim.Filter{f.Term})
	case scim.Present:
		return l.present(f)
	case scim.Compare:
		return l.compare(f)
	case scim.ValuePath:
		return l.valuePath(f)
	}
	return nobody()
}

func (l lowering) all(op roster.FilterOp, terms []scim.Filter) roster.Filter {
	out := roster.Filter{Op: op}
	for _, t := range terms {
		out.Sub = append(out.Sub, l.lower(t))
	}
	return out
}

// source says where the store has an attribute.
type source struct {
	field          roster.Field
	attr           roster.Attr
	part           string
	as             roster.ComparedAs
	prefix, suffix string
	groupPrefix    string
}

// source finds an attribute in the store; false: it has no value there.
func (l lowering) source(p scim.Path) (source, bool) {
	a := p.Attribute()
	if !p.Known() || a == nil || a.Returned == scim.Never {
		return source{}, false
	}
	if p.Extension() {
		return l.attribute(p), l.users
	}
	switch p.String() {
	case "id":
		return source{field: roster.FieldID, as: roster.AsExact}, true
	case "externalId":
		return source{field: roster.FieldExternalID, as: roster.AsExact}, true
	case "meta.created":
		return source{field: roster.FieldCreated, as: roster.AsTime}, true
	case "meta.lastModified":
		return source{field: roster.FieldModified, as: roster.AsTime}, true
	case "meta.location":
		return source{field: roster.FieldID, as: roster.AsExact, prefix: l.location}, true
	case "meta.version":
		prefix, suffix, _ := strings.Cut(etag(0), "0")
		return source{field: roster.FieldVersion, as: roster.AsExact, prefix: prefix, suffix: suffix}, true
	}
	if !l.users {
		switch a.Name {
		case "displayName":
			return source{field: roster.FieldDisplayName}, true
		case "members":
			return l.relation(roster.FieldMember, p), true
		}
		return source{}, false
	}
	switch a.Name {
	case "userName":
		return source{field: roster.FieldUserName}, true
	case "active":
		return source{field: roster.FieldActive, as: roster.AsBoolean}, true
	case "groups":
		return l.relation(roster.FieldTeam, p), true
	}
	return l.attribute(p), true
}

func (l lowering) relation(f roster.Field, p scim.Path) source {
	s := source{field: f, part: p.Sub, as: comparedAs(p.Leaf())}
	if p.Sub == roster.PartLocation {
		s.prefix, s.groupPrefix = l.references, l.nested
	}
	return s
}

func (l lowering) attribute(p scim.Path) source {
	a := p.Attribute()
	s := source{field: roster.FieldAttribute, attr: roster.Attr{Name: a.Name, Single: !a.MultiValued}, part: p.Sub, as: comparedAs(p.Leaf())}
	if p.Extension() {
		s.attr.Schema = p.Schema
	}
	if s.part == "" && a.Type != scim.Complex {
		s.part = "value" // as the search document has it
	}
	return s
}

func comparedAs(a *scim.Attribute) roster.ComparedAs {
	switch a.Type {
	case scim.Boolean:
		return roster.AsBoolean
	case scim.Integer, scim.Decimal:
		return roster.AsNumber
	case scim.DateTime:
		return roster.AsTime
	}
	if a.CaseExact {
		return roster.AsExact
	}
	return roster.AsFolded
}

func (s source) filter(op roster.FilterOp) roster.Filter {
	return roster.Filter{Op: op, Field: s.field, Attr: s.attr, Part: s.part, As: s.as, Prefix: s.prefix, Suffix: s.suffix, GroupPrefix: s.groupPrefix}
}

func (l lowering) present(f scim.Present) roster.Filter {
	if known, ok := l.known(f, f.Path); ok {
		return known
	}
	s, ok := l.source(f.Path)
	if !ok {
		return nobody()
	}
	return s.filter(roster.Present)
}

func (l lowering) compare(f scim.Compare) roster.Filter {
	if known, ok := l.known(f, f.Path); ok {
		return known
	}
	s, ok := l.source(f.Path)
	if !ok {
		return constant(f.Op == scim.NotEqual)
	}
	return withValue(s.filter(roster.FilterOp(f.Op)), f)
}

// withValue gives a comparison its value. Part of a time is looked for in its text.
func withValue(out roster.Filter, f scim.Compare) roster.Filter {
	if out.As == roster.AsTime && out.Op.Substring() {
		out.As = roster.AsFolded
	}
	switch v := f.Value.(type) {
	case string:
		out.Text = v
	case bool:
		out.Bool = v
	case json.Number:
		out.Number, _ = v.Float64() // the parser let it pass, so it is one
	}
	if out.As == roster.AsTime {
		out.Time, _ = roster.ParseTime(out.Text) // likewise
	}
	return out
}

// known answers for what needs no look into the store, or only whether an extension has values.
func (l lowering) known(f scim.Filter, p scim.Path) (roster.Filter, bool) {
	switch p.String() {
	case "meta":
		return everybody(), true
	case "meta.resourceType":
		return constant(scim.Match(f, scim.Resource{"meta": map[string]any{"resourceType": l.t.Name}})), true
	case "schemas", "schemas.value":
		return l.schemas(f), true
	}
	return roster.Filter{}, false
}

// schemas answers for a filter on "schemas" alone: the core schema is always there, an extension where it has values.
func (l lowering) schemas(f scim.Filter) roster.Filter {
	has := func(urn string) bool { return scim.Match(f, scim.Resource{"schemas": []string{urn}}) }
	if has(l.t.Schema.ID) {
		return everybody()
	}
	out := roster.Filter{Op: roster.Or, Sub: []roster.Filter{nobody()}}
	for _, e := range l.t.Extensions {
		if l.users && has(e.Schema.ID) {
			out.Sub = append(out.Sub, roster.Filter{Op: roster.Present, Field: roster.FieldAttribute, Attr: roster.Attr{Schema: e.Schema.ID}})
		}
	}
	return out
}

// valuePath lowers attr[filter]: one value must match all of it. Of meta, which has one value and always has it, the filter
// is one of the resource; so is one of an attribute that has no parts in the store.
func (l lowering) valuePath(f scim.ValuePath) roster.Filter {
	if f.Path.String() == "meta" {
		return l.lower(f.Filter)
	}
	if f.Path.String() == "schemas" {
		return l.schemas(f)
	}
	s, ok := l.source(f.Path)
	if !ok {
		return nobody()
	}
	s.part = ""
	out := s.filter(roster.Any)
	out.Sub = []roster.Filter{l.inner(f.Filter, s)}
	return out
}

// inner lowers what stands in brackets, over the parts of one value.
func (l lowering) inner(f scim.Filter, of source) roster.Filter {
	part := func(op roster.FilterOp, p scim.Path) (roster.Filter, bool) {
		if !p.Known() {
			return constant(op == roster.Ne), false
		}
		out := roster.Filter{Op: op, Field: roster.FieldPart, Part: p.Sub, As: comparedAs(p.Leaf())}
		if of.field != roster.FieldAttribute && p.Sub == roster.PartLocation {
			out.Prefix, out.GroupPrefix = l.references, l.nested
		}
		return out, true
	}
	group := func(op roster.FilterOp, terms ...scim.Filter) roster.Filter {
		out := roster.Filter{Op: op}
		for _, t := range terms {
			out.Sub = append(out.Sub, l.inner(t, of))
		}
		return out
	}
	switch f := f.(type) {
	case scim.And:
		return group(roster.And, f.Terms...)
	case scim.Or:
		return group(roster.Or, f.Terms...)
	case scim.Not:
		return group(roster.Not, f.Term)
	case scim.Present:
		out, _ := part(roster.Present, f.Path)
		return out
	case scim.Compare:
		out, ok := part(roster.FilterOp(f.Op), f.Path)
		if !ok {
			return out
		}
		return withValue(out, f)
	}
	return nobody()
}

// lowerSort lowers what a list is to be sorted by; nil: nothing that the resources have.
func (l lowering) lowerSort(p scim.Path, descending bool) *roster.Sort {
	s, ok := l.source(p)
	if !ok {
		return nil
	}
	return &roster.Sort{
		Field: s.field, Attr: s.attr, Part: s.part, As: s.as, Prefix: s.prefix, Suffix: s.suffix, GroupPrefix: s.groupPrefix,
		Descending: descending,
	}
}
