package scim

// The helpers below give RFC 7643, section 2.2, its defaults: readWrite, returned by default, not unique.

func attr(name string, kind Type, description string) Attribute {
	return Attribute{
		Name: name, Type: kind, Description: description,
		Mutability: ReadWrite, Returned: Default, Uniqueness: UniqueNone,
		// RFC 7643, sections 2.3.6 and 2.3.7: binaries and references are case exact.
		CaseExact: kind == Binary || kind == Reference,
	}
}

func text(name, description string) Attribute { return attr(name, String, description) }

func key(name, description string) Attribute {
	a := text(name, description)
	a.MaxBytes = KeyMaxBytes
	return a
}

func reference(name, description string, types ...string) Attribute {
	a := attr(name, Reference, description)
	a.ReferenceTypes = types
	return a
}

func identifier(name, description string) Attribute {
	a := key(name, description)
	a.CaseExact = true
	return a
}

func (a Attribute) mutable(m Mutable) Attribute {
	a.Mutability = m
	return a
}

func (a Attribute) values(canonical ...string) Attribute {
	a.CanonicalValues = canonical
	return a
}

func complexAttr(name, description string, subs ...Attribute) Attribute {
	a := attr(name, Complex, description)
	a.SubAttributes = subs
	return a
}

// plural defines a multi-valued attribute with the default sub-attributes of RFC 7643, section 2.4.
func plural(name, description string, value Attribute, types ...string) Attribute {
	a := complexAttr(name, description,
		value,
		text("display", "A human-readable name, primarily used for display purposes."),
		text("type", "A label indicating the attribute's function.").values(types...),
		attr("primary", Boolean, "Indicates the primary or preferred value. True must appear no more than once."),
	)
	a.MultiValued = true
	return a
}

// commonAttributes are those of RFC 7643, section 3.1: every resource has them, and no schema lists them.
func commonAttributes() []Attribute {
	id := identifier("id", "The service provider's identifier of the resource.").mutable(ReadOnly)
	id.Returned, id.Uniqueness, id.Required = Always, UniqueServer, true
	schemas := reference("schemas", "The schemas that the resource uses.", "uri").mutable(ReadOnly)
	schemas.MultiValued, schemas.Returned = true, Always
	location := reference("location", "The URI of the resource.", "uri").mutable(ReadOnly)
	resourceType := text("resourceType", "The name of the resource type.").mutable(ReadOnly)
	resourceType.CaseExact = true
	version := text("version", "The version of the resource: its entity tag.").mutable(ReadOnly)
	version.CaseExact = true
	return []Attribute{
		id, schemas,
		identifier("externalId", "The provisioning client's identifier of the resource."),
		complexAttr("meta", "The resource's metadata.",
			resourceType,
			attr("created", DateTime, "When the resource was added to the service provider.").mutable(ReadOnly),
			attr("lastModified", DateTime, "When the resource was last changed at the service provider.").mutable(ReadOnly),
			location, version,
		).mutable(ReadOnly),
	}
}

func groupSchema() *Schema {
	name := key("displayName", "A human-readable name for the Group. REQUIRED.")
	name.Required = true // RFC 7643, section 4.2
	members := complexAttr("members", "A list of members of the Group.",
		key("value", "Identifier of the member of this Group.").mutable(Immutable),
		reference("$ref", "The URI of the member: a User or a Group.", "User", "Group").mutable(Immutable),
		text("display", "A human-readable name of the member.").mutable(Immutable),
		text("type", "A label indicating the type of resource, e.g. 'User' or 'Group'.").
			values("User", "Group").mutable(Immutable),
	)
	members.MultiValued = true
	return &Schema{ID: GroupURN, Name: "Group", Description: "Group", Attributes: []Attribute{name, members}}
}

func enterpriseSchema() *Schema {
	return &Schema{
		ID: EnterpriseUserURN, Name: "EnterpriseUser", Description: "Enterprise User",
		Attributes: []Attribute{
			text("employeeNumber", "Identifies a person within an enterprise; typically based on order of hire."),
			text("costCenter", "Identifies the name of a cost center."),
			text("organization", "Identifies the name of an organization."),
			text("division", "Identifies the name of a division."),
			text("department", "Identifies the name of a department."),
			complexAttr("manager", "The User's manager.",
				identifier("value", "The id of the SCIM resource representing the User's manager."),
				reference("$ref", "The URI of the SCIM resource representing the User's manager.", "User"),
				text("displayName", "The displayName of the User's manager.").mutable(ReadOnly),
			),
		},
	}
}
