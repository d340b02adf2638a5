package scim

import (
	"slices"
	"strings"
)

// GroupEdit is what a PATCH of a group asks for. It is made without reading the group, which may have any number of
// members.
type GroupEdit struct {
	DisplayName *string      // nil: unchanged; never empty
	ExternalID  *string      // nil: unchanged; empty: removed
	Members     []MemberEdit // in the order of the operations
}

// MemberEdit is one change of a group's members: Add or Remove of some, Remove of all, or Replace of the whole set.
type MemberEdit struct {
	Op     Op
	All    bool     // with Remove: of every member
	IDs    []string // as the client gave them: not empty, not checked to exist
	Filter Filter   // with Remove: of those whom it fits; see GroupEdit.Choose
}

// ParseGroupEdit reads the operations of a PATCH of a group (RFC 7644, section 3.5.2). Members come and go as
//
//	add     members, a list, one object or a plain id            those are added
//	replace members, likewise                                    those are the whole set; [] is the empty set
//	remove  members, no value at all                             everyone goes (RFC 7644, section 3.5.2.2)
//	remove  members, a list, one object or a plain id            those go, as Entra means it; [] takes nobody
//	remove  members[value eq "a" or value eq "b"]                those go
//	remove  members[type eq "Group"], or any other filter        those whom it fits go; see Choose
//
// and a value that isn't understood is refused: no malformed request ever empties a group. A value without a path may
// hold displayName, externalId and members. Paths below a member, as in members[value eq "a"].display, and unknown
// attributes are ignored; read-only ones are, too, but not as an explicit path.
func ParseGroupEdit(t *ResourceType, ops []Operation) (GroupEdit, error) {
	var out GroupEdit
	for _, op := range ops {
		if err := out.operation(t, op); err != nil {
			return GroupEdit{}, err
		}
	}
	return out, nil
}

func (g *GroupEdit) operation(t *ResourceType, op Operation) error {
	target, err := operationTarget(t, op)
	if err != nil {
		return err
	}
	if target != nil {
		if hasMutability(target.Path, ReadOnly) && target.Path.Attr != "schemas" {
			return Mutability("%s is read-only", target.Path)
		}
		return g.apply(*target, op)
	}
	obj, ok := op.Value.(map[string]any)
	if !ok {
		return InvalidValue("%s without a path needs an object as its value, not %s", op.Op, kindOf(op.Value))
	}
	for _, k := range sortedKeys(obj) {
		target, err := ParsePath(t, k)
		if err != nil || target.Path.Attr == "members" && obj[k] == nil {
			continue // a client that writes nulls doesn't mean to empty the group
		}
		if err := g.apply(target, Operation{Op: op.Op, Path: k, Value: obj[k], HasValue: true}); err != nil {
			return err
		}
	}
	return nil
}

func (g *GroupEdit) apply(target Target, op Operation) error {
	p := target.Path
	switch {
	case !p.Known() || p.extension || p.Attr == "":
		return nil
	case p.Attr == "members":
		edit, ok, err := memberEdit(target, op)
		if ok {
			g.Members = append(g.Members, edit)
		}
		return err
	case p.Attr != "displayName" && p.Attr != "externalId":
		return nil
	case target.Filter != nil:
		return InvalidPath("%s has a single value: no filter can select from it", p.Attr)
	case op.Op == Remove && p.Attr == "displayName":
		return Mutability("displayName is required and cannot be removed")
	}
	var v any
	if op.Op != Remove {
		var err error
		if v, err = (coercer{unwrap: true}).simple(p.attr, op.Value, p.Attr); err != nil {
			return err
		}
	}
	s, _ := v.(string)
	if p.Attr == "externalId" {
		g.ExternalID = &s
		return nil
	}
	if strings.TrimSpace(s) == "" {
		return InvalidValue("displayName is required and cannot be empty")
	}
	g.DisplayName = &s
	return nil
}

// memberEdit reads an operation on members; ok is false when it changes nothing.
func memberEdit(target Target, op Operation) (edit MemberEdit, ok bool, err error) {
	edit.Op = op.Op
	switch {
	case target.Filter != nil:
		return selectedMembers(target, op)
	case target.Path.Sub == "value" && op.Op == Replace:
		return edit, false, Mutability("members.value cannot be replaced: add and remove members")
	case target.Path.Sub != "" && target.Path.Sub != "value":
		return edit, false, nil
	case op.Op == Remove && !op.HasValue && target.Path.Sub == "":
		edit.All = true
		return edit, true, nil
	}
	edit.IDs, err = memberIDs(op.Value)
	return edit, err == nil && (len(edit.IDs) > 0 || op.Op == Replace), err
}

func memberIDs(v any) ([]string, error) {
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	out := make([]string, len(list))
	for i, e := range list {
		var err error
		if out[i], err = memberID(e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// selectedMembers reads an operation on members[...]. Ids select without a look at the group; anything else may only
// remove, since the value of a member is immutable.
func selectedMembers(target Target, op Operation) (edit MemberEdit, ok bool, err error) {
	ids, byID := idsOf(target.Filter)
	switch {
	case target.Path.Sub == "value":
		return edit, false, Mutability("the value of a member cannot be changed: add and remove members")
	case target.Path.Sub != "":
		return edit, false, nil
	case op.Op == Remove && !byID:
		if !known(target.Filter) {
			return edit, false, InvalidFilter("members are selected by value, type, display or $ref, not by %s", target.Filter)
		}
		return MemberEdit{Op: Remove, Filter: target.Filter}, true, nil
	case !byID:
		return edit, false, InvalidFilter(`members can only be added by value, as in members[value eq "id"]`)
	case op.Op == Replace:
		given, err := memberIDs(op.Value)
		if err == nil && (len(ids) != 1 || len(given) != 1 || ids[0] != given[0]) {
			err = Mutability("the value of a member cannot be changed: add and remove members")
		}
		return edit, false, err
	}
	return MemberEdit{Op: op.Op, IDs: ids}, true, nil
}

// known reports whether a value filter speaks only of sub-attributes that there are: a "not" of one that isn't would fit
// every member.
func known(f Filter) bool {
	all := func(terms []Filter) bool {
		for _, t := range terms {
			if !known(t) {
				return false
			}
		}
		return true
	}
	switch f := f.(type) {
	case And:
		return all(f.Terms)
	case Or:
		return all(f.Terms)
	case Not:
		return known(f.Term)
	case Present:
		return f.Path.sub != nil
	case Compare:
		return f.Path.sub != nil
	}
	return false
}

// idsOf reads `value eq "a" or value eq "b"`.
func idsOf(f Filter) ([]string, bool) {
	terms := []Filter{f}
	if or, ok := f.(Or); ok {
		terms = or.Terms
	}
	var out []string
	for _, t := range terms {
		if or, nested := t.(Or); nested {
			ids, ok := idsOf(or)
			if !ok {
				return nil, false
			}
			out = append(out, ids...)
			continue
		}
		c, ok := t.(Compare)
		id, isText := c.Value.(string)
		if !ok || c.Op != Equal || c.Path.Sub != "value" || !isText || strings.TrimSpace(id) == "" {
			return nil, false
		}
		out = append(out, id)
	}
	return out, true
}

// GroupMember is a member as a filter sees it.
type GroupMember struct{ Value, Ref, Display, Type string }

// Chooses reports whether some edit removes by a filter that only Choose can turn into ids.
func (g GroupEdit) Chooses() bool {
	return slices.ContainsFunc(g.Members, func(e MemberEdit) bool { return e.Filter != nil })
}

// maxChoices bounds how often Choose compares a member: a few times for each of a large group.
const maxChoices = 2_000_000

// Choose turns removals by filter into removals by id, for a group that has those members now. Of a member whom the same
// request adds, only the value is known.
func (g GroupEdit) Choose(now []GroupMember) (GroupEdit, error) {
	members := make(map[string]map[string]any, len(now))
	var order []string
	add := func(m GroupMember) {
		if members[m.Value] == nil {
			order, members[m.Value] = append(order, m.Value), m.element()
		}
	}
	for _, m := range now {
		add(m)
	}
	out, work := g, 0
	out.Members = make([]MemberEdit, len(g.Members))
	for i, e := range g.Members {
		if e.Op == Replace || e.All {
			clear(members)
			order = nil
		}
		if e.Filter != nil {
			if work += len(order) * terms(e.Filter); work > maxChoices {
				return GroupEdit{}, InvalidValue("the request compares too many members: split it into several, or name them by value")
			}
			for _, id := range order {
				if m := members[id]; m != nil && matchElement(e.Filter, m) {
					e.IDs = append(e.IDs, id)
				}
			}
			e.Filter = nil
		}
		for _, id := range e.IDs {
			if e.Op == Remove {
				delete(members, id)
			} else {
				add(GroupMember{Value: id})
			}
		}
		out.Members[i] = e
	}
	return out, nil
}

func (m GroupMember) element() map[string]any {
	out := map[string]any{"value": m.Value}
	if m.Type != "" { // else it isn't known any better
		out["$ref"], out["display"], out["type"] = m.Ref, m.Display, m.Type
	}
	return out
}

// MemberChange is the normal form of a GroupEdit's member changes: no id stands twice.
type MemberChange struct {
	Replace     bool     // the members become Set, whoever they were
	Set         []string // only with Replace
	Add, Remove []string // only without
}

// Empty reports that nobody is added or removed.
func (c MemberChange) Empty() bool { return !c.Replace && len(c.Add) == 0 && len(c.Remove) == 0 }

// Fold brings the member edits into normal form: applied to any group, it leaves what the edits one after the other do.
// It takes time linear in their number of ids. Removals by
// filter must be chosen before.
func (g GroupEdit) Fold() MemberChange {
	in := map[string]bool{}
	var order []string // ids in the order of their first mention since the last replacement
	note := func(ids []string, member bool) {
		for _, id := range ids {
			if _, seen := in[id]; !seen {
				order = append(order, id)
			}
			in[id] = member
		}
	}
	var out MemberChange
	for _, e := range g.Members {
		if e.Op == Replace || e.All {
			out.Replace = true
			clear(in)
			order = nil
		}
		note(e.IDs, e.Op != Remove)
	}
	for _, id := range order {
		switch {
		case out.Replace && in[id]:
			out.Set = append(out.Set, id)
		case in[id]:
			out.Add = append(out.Add, id)
		case !out.Replace:
			out.Remove = append(out.Remove, id)
		}
	}
	return out
}
