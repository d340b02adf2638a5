package scim

import "strings"

// Meta is the metadata of a discovery document (RFC 7643, section 3.1).
type Meta struct {
	ResourceType string `json:"resourceType"`
	Location     string `json:"location"`
}

func metaAt(base, kind, path string) Meta {
	return Meta{ResourceType: kind, Location: strings.TrimRight(base, "/") + path}
}

// SchemaDocument is a schema as /Schemas serves it (RFC 7643, section 7).
type SchemaDocument struct {
	Schemas     []string    `json:"schemas"`
	ID          string      `json:"id"`
	Name        string      `json:"name"`
	Description string      `json:"description"`
	Attributes  []Attribute `json:"attributes"`
	Meta        Meta        `json:"meta"`
}

// At returns the document for a service whose base URL is given.
func (s *Schema) At(base string) SchemaDocument {
	return SchemaDocument{
		Schemas: []string{SchemaURN}, ID: s.ID, Name: s.Name, Description: s.Description, Attributes: s.Attributes,
		Meta: metaAt(base, "Schema", "/Schemas/"+s.ID),
	}
}

// ExtensionReference is an entry of a resource type's schemaExtensions (RFC 7643, section 6).
type ExtensionReference struct {
	Schema   string `json:"schema"`
	Required bool   `json:"required"`
}

// ResourceTypeDocument is a resource type as /ResourceTypes serves it (RFC 7643, section 6).
type ResourceTypeDocument struct {
	Schemas     []string             `json:"schemas"`
	ID          string               `json:"id"`
	Name        string               `json:"name"`
	Description string               `json:"description"`
	Endpoint    string               `json:"endpoint"`
	Schema      string               `json:"schema"`
	Extensions  []ExtensionReference `json:"schemaExtensions"`
	Meta        Meta                 `json:"meta"`
}

// At returns the document for a service whose base URL is given.
func (t *ResourceType) At(base string) ResourceTypeDocument {
	extensions := []ExtensionReference{}
	for _, e := range t.Extensions {
		extensions = append(extensions, ExtensionReference{Schema: e.Schema.ID, Required: e.Required})
	}
	return ResourceTypeDocument{
		Schemas: []string{ResourceTypeURN}, ID: t.Name, Name: t.Name, Description: t.Description,
		Endpoint: t.Endpoint, Schema: t.Schema.ID, Extensions: extensions,
		Meta: metaAt(base, "ResourceType", "/ResourceTypes/"+t.Name),
	}
}

// Supported says whether an option is there (RFC 7643, section 5).
type Supported struct {
	Supported bool `json:"supported"`
}

// BulkSupport is the option "bulk" (RFC 7643, section 5).
type BulkSupport struct {
	Supported      bool `json:"supported"`
	MaxOperations  int  `json:"maxOperations"`
	MaxPayloadSize int  `json:"maxPayloadSize"`
}

// FilterSupport is the option "filter" (RFC 7643, section 5).
type FilterSupport struct {
	Supported  bool `json:"supported"`
	MaxResults int  `json:"maxResults"`
}

// PaginationSupport is the option "pagination" (RFC 9865, section 4).
type PaginationSupport struct {
	Cursor        bool   `json:"cursor"`
	Index         bool   `json:"index"`
	DefaultMethod string `json:"defaultPaginationMethod"` // "cursor" or "index"
	DefaultSize   int    `json:"defaultPageSize"`
	MaxSize       int    `json:"maxPageSize"`
	CursorTimeout int    `json:"cursorTimeout,omitempty"` // seconds
}

// AuthenticationScheme is a way for clients to authenticate (RFC 7643, section 5).
type AuthenticationScheme struct {
	Type             string `json:"type"`
	Name             string `json:"name"`
	Description      string `json:"description"`
	SpecURI          string `json:"specUri,omitempty"`
	DocumentationURI string `json:"documentationUri,omitempty"`
	Primary          bool   `json:"primary"`
}

// ServiceProviderConfig is what /ServiceProviderConfig serves (RFC 7643, section 5).
type ServiceProviderConfig struct {
	Schemas               []string               `json:"schemas"`
	DocumentationURI      string                 `json:"documentationUri,omitempty"`
	Patch                 Supported              `json:"patch"`
	Bulk                  BulkSupport            `json:"bulk"`
	Filter                FilterSupport          `json:"filter"`
	ChangePassword        Supported              `json:"changePassword"`
	Sort                  Supported              `json:"sort"`
	ETag                  Supported              `json:"etag"`
	Pagination            *PaginationSupport     `json:"pagination,omitempty"`
	AuthenticationSchemes []AuthenticationScheme `json:"authenticationSchemes"`
	Meta                  Meta                   `json:"meta"`
}

// Capabilities is what differs between services. The zero value offers neither bulk, sorting nor entity tags.
type Capabilities struct {
	DocumentationURI string // optional
	MaxResults       int    // the most resources in one page
	ETag             bool
	Sort             bool
	Bulk             BulkSupport
	Pagination       *PaginationSupport // nil: nothing is said of it
}

// NewServiceProviderConfig returns the configuration of a service at the base URL. PATCH and filters are always
// supported and changing passwords never is; clients authenticate with a bearer token (RFC 6750).
func NewServiceProviderConfig(base string, c Capabilities) ServiceProviderConfig {
	return ServiceProviderConfig{
		Schemas:          []string{ServiceConfigURN},
		DocumentationURI: c.DocumentationURI,
		Patch:            Supported{true},
		Bulk:             c.Bulk,
		Filter:           FilterSupport{Supported: true, MaxResults: c.MaxResults},
		Sort:             Supported{c.Sort},
		ETag:             Supported{c.ETag},
		Pagination:       c.Pagination,
		AuthenticationSchemes: []AuthenticationScheme{{
			Type:        "oauthbearertoken",
			Name:        "OAuth Bearer Token",
			Description: "A token of the organisation in the Authorization header: Bearer TOKEN",
			SpecURI:     "https://www.rfc-editor.org/info/rfc6750",
			Primary:     true,
		}},
		Meta: metaAt(base, "ServiceProviderConfig", "/ServiceProviderConfig"),
	}
}
