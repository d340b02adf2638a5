package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Organisation is one entry of `organisations`: what is set for an organisation as a whole.
type Organisation struct {
	Name string
	// SCIM is the schema of its own that it adds to the SCIM User; nil: none.
	SCIM *OwnSchema
	// Line is where the entry starts in the file.
	Line int
}

// OwnSchema is a SCIM schema extension. What its attributes may be is checked by the SCIM server when it starts.
type OwnSchema struct {
	URN        string
	Attributes []OwnAttribute
}

// OwnAttribute is an attribute of an OwnSchema, with its characteristics as RFC 7643, section 7, names their values. Those
// that are empty have its defaults.
type OwnAttribute struct {
	Name, Type, Description string
	MultiValued, CaseExact  bool
	Mutability, Returned    string
	CanonicalValues         []string
	SubAttributes           []OwnAttribute
}

func readOrganisations(s *section) []Organisation {
	out := []Organisation{}
	first := map[string]int{}
	s.entries("organisations", "- name: default", func(node ast.Node) {
		entry := s.doc.section(node, "the organisation", "name", "scim")
		if entry == nil {
			return
		}
		o := Organisation{Line: entry.line}
		entry.required("name", &o.Name, "default", checkOrganisation)
		key := strings.ToLower(o.Name)
		if line, twice := first[key]; twice && o.Name != "" {
			s.doc.problemf(entry.values["name"].line, "the organisation %s is there already, in line %d: keep one", o.Name, line)
		}
		first[key] = o.Line
		if v, ok := entry.get("scim"); ok {
			o.SCIM = readOwnSchema(s.doc.section(v.node, "the scim settings of "+o.Name, "schema", "attributes"))
		}
		out = append(out, o)
	})
	return out
}

// entries calls read for each entry of a list.
func (s *section) entries(key, example string, read func(ast.Node)) {
	v, ok := s.get(key)
	if !ok {
		return
	}
	list, ok := v.node.(*ast.SequenceNode)
	if !ok {
		s.doc.problemf(v.line, "%s must be a list: begin each entry with %q", key, example)
		return
	}
	for _, node := range list.Values {
		read(node)
	}
}

func readOwnSchema(s *section) *OwnSchema {
	if s == nil {
		return nil
	}
	own := &OwnSchema{}
	s.required("schema", &own.URN, "urn:example:params:scim:schemas:extension:acme:2.0:User", func(text string) (string, error) { return text, nil })
	if own.Attributes = readAttributes(s, "attributes"); len(own.Attributes) == 0 {
		if _, ok := s.get("attributes"); !ok {
			s.missing("attributes", "a list, each entry of which begins with - name: badge")
		}
	}
	return own
}

func readAttributes(s *section, key string) []OwnAttribute {
	var out []OwnAttribute
	s.entries(key, "- name: badge", func(node ast.Node) {
		entry := s.doc.section(node, "the attribute",
			"name", "type", "description", "multi_valued", "case_exact", "mutability", "returned", "canonical_values", "sub_attributes")
		if entry == nil {
			return
		}
		var a OwnAttribute
		entry.required("name", &a.Name, "badge", func(text string) (string, error) { return text, nil })
		entry.oneOf("type", &a.Type, "string", "boolean", "decimal", "integer", "dateTime", "binary", "reference", "complex")
		entry.checked("description", &a.Description, func(text string) (string, error) { return text, nil })
		entry.flag("multi_valued", &a.MultiValued)
		entry.flag("case_exact", &a.CaseExact)
		entry.oneOf("mutability", &a.Mutability, "readWrite", "readOnly", "immutable")
		entry.oneOf("returned", &a.Returned, "default", "always", "request", "never")
		entry.entries("canonical_values", "- one", func(node ast.Node) {
			text, ok := scalar(node)
			if !ok {
				s.doc.problemf(lineOf(node), "each of canonical_values must be text: %s", howToQuote(node))
			}
			a.CanonicalValues = append(a.CanonicalValues, text)
		})
		a.SubAttributes = readAttributes(entry, "sub_attributes")
		out = append(out, a)
	})
	return out
}

// oneOf reads a text that must be one of a few.
func (s *section) oneOf(key string, into *string, known ...string) {
	s.checked(key, into, func(text string) (string, error) {
		if !slices.Contains(known, text) {
			return "", fmt.Errorf("%q is none of %s%s", text, strings.Join(known, ", "), didYouMean(text, known))
		}
		return text, nil
	})
}

func (o *Organisation) redacted() yaml.MapSlice {
	entry := yaml.MapSlice{{Key: "name", Value: o.Name}}
	if o.SCIM != nil {
		entry = append(entry, yaml.MapItem{Key: "scim", Value: yaml.MapSlice{
			{Key: "schema", Value: o.SCIM.URN}, {Key: "attributes", Value: redactedAttributes(o.SCIM.Attributes)},
		}})
	}
	return entry
}

func redactedAttributes(list []OwnAttribute) []yaml.MapSlice {
	out := make([]yaml.MapSlice, 0, len(list))
	for _, a := range list {
		entry := withoutEmpty("name", a.Name, "type", a.Type, "description", a.Description, "mutability", a.Mutability, "returned", a.Returned)
		for _, f := range []struct {
			key string
			set bool
		}{{"multi_valued", a.MultiValued}, {"case_exact", a.CaseExact}} {
			if f.set {
				entry = append(entry, yaml.MapItem{Key: f.key, Value: true})
			}
		}
		if len(a.CanonicalValues) > 0 {
			entry = append(entry, yaml.MapItem{Key: "canonical_values", Value: a.CanonicalValues})
		}
		if len(a.SubAttributes) > 0 {
			entry = append(entry, yaml.MapItem{Key: "sub_attributes", Value: redactedAttributes(a.SubAttributes)})
		}
		out = append(out, entry)
	}
	return out
}
