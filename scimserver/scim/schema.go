package scim

import (
	"slices"
	"strings"
)

// Schema URNs of RFC 7643, sections 4, 6 and 7.
const (
	UserURN           = "urn:ietf:params:scim:schemas:core:2.0:User"
	GroupURN          = "urn:ietf:params:scim:schemas:core:2.0:Group"
	EnterpriseUserURN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	SchemaURN         = "urn:ietf:params:scim:schemas:core:2.0:Schema"
	ResourceTypeURN   = "urn:ietf:params:scim:schemas:core:2.0:ResourceType"
	ServiceConfigURN  = "urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"
)

// Type is an attribute's data type (RFC 7643, section 2.3).
type Type string

// The data types of RFC 7643, section 2.3.
const (
	String    Type = "string"
	Boolean   Type = "boolean"
	Decimal   Type = "decimal"
	Integer   Type = "integer"
	DateTime  Type = "dateTime"
	Binary    Type = "binary"
	Reference Type = "reference"
	Complex   Type = "complex"
)

// Mutable says when an attribute's value can be redefined (RFC 7643, section 7).
type Mutable string

// The mutabilities of RFC 7643, section 7.
const (
	ReadWrite Mutable = "readWrite"
	ReadOnly  Mutable = "readOnly"
	Immutable Mutable = "immutable"
	WriteOnly Mutable = "writeOnly"
)

// Returned says when an attribute is in an answer (RFC 7643, section 7).
type Returned string

// The values of "returned" in RFC 7643, section 7.
const (
	Always  Returned = "always"
	Never   Returned = "never"
	Default Returned = "default"
	Request Returned = "request"
)

// The values of "uniqueness" in RFC 7643, section 7.
const (
	UniqueNone   = "none"
	UniqueServer = "server"
	UniqueGlobal = "global"
)

// Attribute defines one attribute with its characteristics (RFC 7643, sections 2.2 and 7).
type Attribute struct {
	Name            string      `json:"name"`
	Type            Type        `json:"type"`
	SubAttributes   []Attribute `json:"subAttributes,omitempty"`
	MultiValued     bool        `json:"multiValued"`
	Description     string      `json:"description"`
	Required        bool        `json:"required"`
	CanonicalValues []string    `json:"canonicalValues,omitempty"`
	CaseExact       bool        `json:"caseExact"`
	Mutability      Mutable     `json:"mutability"`
	Returned        Returned    `json:"returned"`
	Uniqueness      string      `json:"uniqueness"`
	ReferenceTypes  []string    `json:"referenceTypes,omitempty"`

	// MaxBytes bounds a text value; zero stands for DefaultMaxBytes.
	MaxBytes int `json:"-"`
}

// Bounds on text, in bytes. Values that are looked up by an index are kept well under a database's limit for a key.
const (
	DefaultMaxBytes = 10_000
	KeyMaxBytes     = 1_024
	largeMaxBytes   = 65_536
)

// Sub returns the sub-attribute of that name in any case, or nil.
func (a *Attribute) Sub(name string) *Attribute { return findAttribute(a.SubAttributes, name) }

func (a *Attribute) maxBytes() int {
	if a.MaxBytes > 0 {
		return a.MaxBytes
	}
	return DefaultMaxBytes
}

// findAttribute compares without case (RFC 7643, section 2.1). The lists are short: a scan beats a map.
func findAttribute(list []Attribute, name string) *Attribute {
	for i := range list {
		if strings.EqualFold(list[i].Name, name) {
			return &list[i]
		}
	}
	return nil
}

// Schema is a set of attributes under a URN (RFC 7643, section 7).
type Schema struct {
	ID          string
	Name        string
	Description string
	Attributes  []Attribute
}

// Attribute returns the attribute of that name in any case, or nil.
func (s *Schema) Attribute(name string) *Attribute { return findAttribute(s.Attributes, name) }

// Extension is a schema that a resource type may carry beside its own (RFC 7643, section 3.3).
type Extension struct {
	Schema   *Schema
	Required bool
}

// ResourceType ties an endpoint to its schema and extensions (RFC 7643, section 6). It is not changed once made, and
// can be used by any number of goroutines.
type ResourceType struct {
	Name        string
	Endpoint    string
	Description string
	Schema      *Schema
	Extensions  []Extension

	common []Attribute
}

// NewUserType returns the type User with the enterprise extension (RFC 7643, sections 4.1 and 4.3) and any further
// extensions, such as an organisation's own attributes.
func NewUserType(extensions ...*Schema) *ResourceType {
	return newType("User", "/Users", "User Account", userSchema(), append([]*Schema{enterpriseSchema()}, extensions...))
}

// NewGroupType returns the type Group (RFC 7643, section 4.2) with any extensions.
func NewGroupType(extensions ...*Schema) *ResourceType {
	return newType("Group", "/Groups", "Group", groupSchema(), extensions)
}

func newType(name, endpoint, description string, core *Schema, extensions []*Schema) *ResourceType {
	t := &ResourceType{
		Name: name, Endpoint: endpoint, Description: description, Schema: core, common: commonAttributes(),
	}
	for _, s := range extensions {
		t.Extensions = append(t.Extensions, Extension{Schema: s})
	}
	return t
}

// Schemas returns the type's schema and those of its extensions.
func (t *ResourceType) Schemas() []*Schema {
	out := []*Schema{t.Schema}
	for _, e := range t.Extensions {
		out = append(out, e.Schema)
	}
	return out
}

func (t *ResourceType) extension(urn string) *Schema {
	for _, e := range t.Extensions {
		if strings.EqualFold(e.Schema.ID, urn) {
			return e.Schema
		}
	}
	return nil
}

// attribute finds an unqualified name among the common attributes (RFC 7643, section 3.1) and the core schema.
func (t *ResourceType) attribute(name string) *Attribute {
	if a := t.Schema.Attribute(name); a != nil {
		return a
	}
	return findAttribute(t.common, name)
}

// SchemasOf returns the value of "schemas" for a resource to be sent: the core schema, and each extension that has
// values (RFC 7643, section 3).
func SchemasOf(t *ResourceType, r Resource) []string {
	out := []string{t.Schema.ID}
	for _, e := range t.Extensions {
		if m, _ := r[e.Schema.ID].(map[string]any); len(m) > 0 {
			out = append(out, e.Schema.ID)
		}
	}
	return slices.Clip(out)
}
