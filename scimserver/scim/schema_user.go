package scim

// userSchema is RFC 7643, sections 4.1 and 8.7.1.
func userSchema() *Schema {
	attributes := append(userSingular(), userPlural()...)
	return &Schema{ID: UserURN, Name: "User", Description: "User Account", Attributes: attributes}
}

func userSingular() []Attribute {
	userName := key("userName", "Unique identifier for the User, typically used to authenticate directly. REQUIRED.")
	userName.Required, userName.Uniqueness = true, UniqueServer
	password := text("password", "The User's clear-text password. Accepted, never stored and never returned.")
	password = password.mutable(WriteOnly)
	password.Returned = Never
	return []Attribute{
		userName,
		complexAttr("name", "The components of the User's real name.",
			text("formatted", "The full name, including all parts, formatted for display."),
			text("familyName", "The family name of the User, or last name in most Western languages."),
			text("givenName", "The given name of the User, or first name in most Western languages."),
			text("middleName", "The middle name(s) of the User."),
			text("honorificPrefix", "The honorific prefix(es) of the User, or title in most Western languages."),
			text("honorificSuffix", "The honorific suffix(es) of the User, or suffix in most Western languages."),
		),
		key("displayName", "The name of the User, suitable for display to end-users."),
		text("nickName", "The casual way to address the User in real life."),
		reference("profileUrl", "A URL to a page representing the User's online profile.", "external"),
		text("title", "The User's title, such as \"Vice President\"."),
		text("userType", "The relationship between the organization and the User, such as \"Contractor\"."),
		text("preferredLanguage", "The User's preferred written or spoken language, as in an Accept-Language header."),
		text("locale", "The User's default location for localizing currency, dates and numbers."),
		text("timezone", "The User's time zone, in the IANA format, such as \"Europe/Vienna\"."),
		attr("active", Boolean, "The User's administrative status."),
		password,
	}
}

func userPlural() []Attribute {
	photo := reference("value", "The URI of a photo of the User.", "external")
	photo.MaxBytes = largeMaxBytes
	certificate := attr("value", Binary, "The value of an X.509 certificate.")
	certificate.MaxBytes = largeMaxBytes
	return []Attribute{
		plural("emails", "Email addresses for the User.", key("value", "An email address."), "work", "home", "other"),
		plural("phoneNumbers", "Phone numbers for the User.", text("value", "A phone number."),
			"work", "home", "mobile", "fax", "pager", "other"),
		plural("ims", "Instant messaging addresses for the User.", text("value", "An instant messaging address."),
			"aim", "gtalk", "icq", "xmpp", "msn", "skype", "qq", "yahoo"),
		plural("photos", "URLs of photos of the User.", photo, "photo", "thumbnail"),
		userAddresses(),
		userGroups(),
		plural("entitlements", "Entitlements for the User.", text("value", "The value of an entitlement.")),
		plural("roles", "Roles for the User.", text("value", "The value of a role.")),
		plural("x509Certificates", "Certificates issued to the User.", certificate),
	}
}

func userAddresses() Attribute {
	addresses := complexAttr("addresses", "Physical mailing addresses for the User.",
		text("formatted", "The full mailing address, formatted for display."),
		text("streetAddress", "The full street address, which may contain newlines."),
		text("locality", "The city or locality."),
		text("region", "The state or region."),
		text("postalCode", "The zip code or postal code."),
		text("country", "The country name."),
		text("type", "A label indicating the attribute's function.").values("work", "home", "other"),
		attr("primary", Boolean, "Indicates the primary or preferred value. True must appear no more than once."),
	)
	addresses.MultiValued = true
	return addresses
}

func userGroups() Attribute {
	groups := complexAttr("groups", "The groups to which the User belongs. Changed through the Group resource only.",
		key("value", "The identifier of the User's group.").mutable(ReadOnly),
		reference("$ref", "The URI of the Group resource.", "Group").mutable(ReadOnly), // as erratum 8471 has it
		text("display", "A human-readable name of the group.").mutable(ReadOnly),
		text("type", "How the membership came about.").values("direct", "indirect").mutable(ReadOnly),
	).mutable(ReadOnly)
	groups.MultiValued = true
	return groups
}
