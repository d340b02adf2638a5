package scim

// ServiceSchemas returns the schemas of the discovery documents themselves (RFC 7643, section 8.7.2; RFC 9865, section 4).
// They describe no resource that a client could write, so that everything in them is read-only.
func ServiceSchemas() []*Schema {
	out := []*Schema{serviceConfigSchema(), resourceTypeSchema(), schemaSchema()}
	for _, s := range out {
		readOnly(s.Attributes)
	}
	return out
}

func readOnly(list []Attribute) {
	for i := range list {
		list[i].Mutability = ReadOnly
		readOnly(list[i].SubAttributes)
	}
}

func (a Attribute) required() Attribute {
	a.Required = true
	return a
}

func (a Attribute) several() Attribute {
	a.MultiValued = true
	return a
}

func (a Attribute) exact() Attribute {
	a.CaseExact = true
	return a
}

func serviceConfigSchema() *Schema {
	supported := attr("supported", Boolean, "Whether the operation is supported.").required()
	option := func(name, description string, more ...Attribute) Attribute {
		return complexAttr(name, description, append([]Attribute{supported}, more...)...).required()
	}
	whole := func(name, description string) Attribute { return attr(name, Integer, description) }
	return &Schema{
		ID: ServiceConfigURN, Name: "Service Provider Configuration", Description: "What the service provider can do",
		Attributes: []Attribute{
			reference("documentationUri", "The address of the service provider's documentation for people.", "external"),
			option("patch", "Whether PATCH is there."),
			option("bulk", "Whether bulk requests are there.",
				whole("maxOperations", "The most operations in one request.").required(),
				whole("maxPayloadSize", "The most bytes in one request.").required()),
			option("filter", "Whether filters are there.", whole("maxResults", "The most resources in one answer.").required()),
			option("changePassword", "Whether passwords can be changed."),
			option("sort", "Whether results are sorted."),
			option("etag", "Whether resources have entity tags."),
			complexAttr("pagination", "How results are paged.",
				attr("cursor", Boolean, "Whether pages go by cursor.").required(),
				attr("index", Boolean, "Whether pages go by index.").required(),
				text("defaultPaginationMethod", "What pages go by if the client doesn't say.").values("cursor", "index"),
				whole("defaultPageSize", "How many results a page has if the client doesn't say."),
				whole("maxPageSize", "How many results a page has at most."),
				whole("cursorTimeout", "For how many seconds a cursor can be used.")),
			complexAttr("authenticationSchemes", "The ways in which clients authenticate.",
				text("type", "The authentication scheme.").
					values("oauth", "oauth2", "oauthbearertoken", "httpbasic", "httpdigest").required(),
				text("name", "The scheme's common name.").required(),
				text("description", "What the scheme is.").required(),
				reference("specUri", "The address of the scheme's specification.", "external"),
				reference("documentationUri", "The address of how to use the scheme.", "external"),
				attr("primary", Boolean, "Whether this scheme is the one to prefer.")).several().required(),
		},
	}
}

func resourceTypeSchema() *Schema {
	return &Schema{
		ID: ResourceTypeURN, Name: "ResourceType", Description: "The schema and the endpoint of a type of resources",
		Attributes: []Attribute{
			text("id", "The resource type's identifier, which is its name."),
			text("name", "The resource type's name, as in meta.resourceType.").required(),
			text("description", "What the resources are."),
			reference("endpoint", "The endpoint of the resources, relative to the service's root.", "uri").required(),
			reference("schema", "The URN of the resources' own schema.", "uri").required(),
			complexAttr("schemaExtensions", "The extensions that the resources may have.",
				reference("schema", "The URN of the extension.", "uri").required(),
				attr("required", Boolean, "Whether each resource has the extension.").required()).several(),
		},
	}
}

// schemaSchema is the one schema with a complex attribute in a complex one: RFC 7643, section 8.7.2, has it so.
func schemaSchema() *Schema {
	subs := complexAttr("subAttributes", "The parts of a complex attribute.", attributeParts()...).several()
	return &Schema{
		ID: SchemaURN, Name: "Schema", Description: "The attributes that go by one URN",
		Attributes: []Attribute{
			text("id", "The schema's URN.").required(),
			text("name", "The schema's name for people.").required(),
			text("description", "What the schema describes."),
			complexAttr("attributes", "The attributes of the schema.", append(attributeParts(), subs)...).several().required(),
		},
	}
}

func attributeParts() []Attribute {
	word := func(name, description string) Attribute { return text(name, description).exact() }
	return []Attribute{
		word("name", "The attribute's name.").required(),
		text("type", "The attribute's data type.").
			values("string", "complex", "boolean", "decimal", "integer", "dateTime", "reference", "binary").required(),
		attr("multiValued", Boolean, "Whether the attribute has several values.").required(),
		word("description", "What the attribute is."),
		attr("required", Boolean, "Whether a resource must have the attribute."),
		word("canonicalValues", "Values that are usual.").several(),
		attr("caseExact", Boolean, "Whether texts that differ in case are two."),
		word("mutability", "When the value can be written.").values("readOnly", "readWrite", "immutable", "writeOnly"),
		word("returned", "When the value is in an answer.").values("always", "never", "default", "request"),
		word("uniqueness", "Among which resources the value is unique.").values("none", "server", "global"),
		word("referenceTypes", "What a reference may refer to.").several(),
	}
}
