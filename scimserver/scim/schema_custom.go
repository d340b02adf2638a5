package scim

import (
	"fmt"
	"slices"
	"strings"
)

// NewExtension returns a schema of an organisation's own (RFC 7643, section 3.3). Characteristics that are left out have
// the defaults of section 2.2. It refuses what no client could work with: a name twice, a complex value within a complex
// one, lists within lists.
func NewExtension(urn, name, description string, attributes []Attribute) (*Schema, error) {
	s := &Schema{ID: urn, Name: name, Description: description, Attributes: slices.Clone(attributes)}
	switch {
	case len(urn) < len("urn:x:y") || !strings.EqualFold(urn[:4], "urn:") || !validURN(urn) || strings.Count(urn, ":") < 2:
		return nil, fmt.Errorf("schema %q: not a URN such as urn:example:params:scim:schemas:extension:acme:2.0:User", urn)
	case slices.ContainsFunc([]string{UserURN, GroupURN, EnterpriseUserURN}, func(core string) bool { return strings.EqualFold(urn, core) }):
		return nil, fmt.Errorf("schema %q: this URN is taken", urn)
	case len(attributes) == 0:
		return nil, fmt.Errorf("schema %q: no attributes", urn)
	}
	if s.Name == "" {
		s.Name = urn[strings.LastIndexByte(urn, ':')+1:]
	}
	if err := complete(s.Attributes, false); err != nil {
		return nil, fmt.Errorf("schema %q: %w", urn, err)
	}
	return s, nil
}

// complete checks attributes and gives them the defaults of RFC 7643, section 2.2.
func complete(list []Attribute, sub bool) error {
	for i := range list {
		a := &list[i]
		if !validName(a.Name) || a.Name[0] == '_' {
			return fmt.Errorf("%q is no name of an attribute", a.Name)
		}
		if first := findAttribute(list, a.Name); first != a {
			return fmt.Errorf("attribute %s: there are two of that name", a.Name)
		}
		if err := a.complete(sub); err != nil {
			return fmt.Errorf("attribute %s: %w", a.Name, err)
		}
	}
	return nil
}

func (a *Attribute) complete(sub bool) error {
	def := attr(a.Name, a.Type, a.Name)
	a.Type = orText(a.Type, String)
	a.Mutability = orText(a.Mutability, def.Mutability)
	a.Returned = orText(a.Returned, def.Returned)
	a.Uniqueness = orText(a.Uniqueness, def.Uniqueness)
	a.Description = orText(a.Description, def.Description)
	a.CaseExact = a.CaseExact || def.CaseExact
	switch {
	case !slices.Contains([]Type{String, Boolean, Decimal, Integer, DateTime, Binary, Reference, Complex}, a.Type):
		return fmt.Errorf("%q is no type", a.Type)
	case !slices.Contains([]Mutable{ReadWrite, ReadOnly, Immutable}, a.Mutability):
		return fmt.Errorf("mutability %q: it must be readWrite, readOnly or immutable, as secrets are not kept", a.Mutability)
	case !slices.Contains([]Returned{Always, Never, Default, Request}, a.Returned):
		return fmt.Errorf("%q does not say when it is returned", a.Returned)
	case a.Uniqueness != UniqueNone:
		return fmt.Errorf("uniqueness %q: values of one's own attributes can't be held unique", a.Uniqueness)
	case a.Required:
		return fmt.Errorf("one's own attributes can't be required: members from before would lack them")
	case (a.Type == Complex) != (len(a.SubAttributes) > 0):
		return fmt.Errorf("a complex attribute, and no other, has sub-attributes")
	case a.Type != Reference && len(a.ReferenceTypes) > 0:
		return fmt.Errorf("only a reference has reference types")
	case sub && a.Type == Complex:
		return fmt.Errorf("a sub-attribute can't be complex")
	case sub && a.MultiValued:
		return fmt.Errorf("a sub-attribute can't have several values")
	}
	if a.Type == Reference && len(a.ReferenceTypes) == 0 {
		a.ReferenceTypes = []string{"external"}
	}
	a.SubAttributes = slices.Clone(a.SubAttributes)
	return complete(a.SubAttributes, true)
}

func orText[T ~string](v, def T) T {
	if v == "" {
		return def
	}
	return v
}
