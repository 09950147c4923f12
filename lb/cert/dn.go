package cert

import (
	"encoding/asn1"
	"fmt"
	"slices"
	"strings"
	"unicode/utf16"
)

// attributeValue is one part of a distinguished name, its value not interpreted yet.
type attributeValue struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// relativeSET is a part of a distinguished name, nearly always of one attribute. The suffix makes encoding/asn1 read a SET.
type relativeSET []attributeValue

// nameRFC2253 prints a distinguished name as OpenSSL does with XN_FLAG_RFC2253: last part first, all but ASCII escaped.
func nameRFC2253(der []byte) string {
	var name []relativeSET
	if _, err := asn1.Unmarshal(der, &name); err != nil {
		return ""
	}
	slices.Reverse(name)
	parts := make([]string, 0, len(name))
	for _, set := range name {
		slices.Reverse(set)
		values := make([]string, 0, len(set))
		for _, a := range set {
			values = append(values, a.rfc2253())
		}
		parts = append(parts, strings.Join(values, "+"))
	}
	return strings.Join(parts, ",")
}

// nameLegacy prints a distinguished name in OpenSSL's old form, "/C=DE/O=Firm/CN=name".
func nameLegacy(der []byte) string {
	var name []relativeSET
	if _, err := asn1.Unmarshal(der, &name); err != nil {
		return ""
	}
	var b strings.Builder
	for _, set := range name {
		for i, a := range set {
			key, _ := attributeName(a.Type)
			b.WriteString(separator(i) + key + "=")
			for _, c := range a.Value.Bytes {
				if c < ' ' || c > '~' {
					fmt.Fprintf(&b, "\\x%02X", c)
				} else {
					b.WriteByte(c)
				}
			}
		}
	}
	return b.String()
}

// separator returns what stands before the attribute with this index in its part of a legacy name.
func separator(index int) string {
	if index == 0 {
		return "/"
	}
	return "+"
}

func (a *attributeValue) rfc2253() string {
	key, known := attributeName(a.Type)
	text, isText := textOf(&a.Value)
	if !known || !isText {
		return fmt.Sprintf("%s=#%X", key, a.Value.FullBytes)
	}
	return key + "=" + escapeRFC2253(text)
}

// escapeRFC2253 escapes what section 2.4 of RFC 2253 names, control characters, and all bytes beyond ASCII.
func escapeRFC2253(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		edge := c == ' ' && (i == 0 || i == len(s)-1) || c == '#' && i == 0
		switch {
		case edge || strings.IndexByte(`,+"\<>;`, c) >= 0:
			b.WriteByte('\\')
			b.WriteByte(c)
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, "\\%02X", c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// textOf returns the value of a string type in UTF-8, and false for any other type.
func textOf(v *asn1.RawValue) (string, bool) {
	if v.Class != asn1.ClassUniversal {
		return "", false
	}
	switch v.Tag {
	case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString, 26: // 26: VisibleString
		return string(v.Bytes), true
	case asn1.TagT61String: // taken for Latin-1
		runes := make([]rune, len(v.Bytes))
		for i, c := range v.Bytes {
			runes[i] = rune(c)
		}
		return string(runes), true
	case asn1.TagBMPString:
		units := make([]uint16, len(v.Bytes)/2)
		for i := range units {
			units[i] = uint16(v.Bytes[2*i])<<8 | uint16(v.Bytes[2*i+1])
		}
		return string(utf16.Decode(units)), true
	}
	return "", false
}

// attributeName returns OpenSSL's short name of an attribute type, or its number and false.
func attributeName(oid asn1.ObjectIdentifier) (string, bool) {
	number := oid.String()
	switch number {
	case "2.5.4.3":
		return "CN", true
	case "2.5.4.4":
		return "SN", true
	case "2.5.4.5":
		return "serialNumber", true
	case "2.5.4.6":
		return "C", true
	case "2.5.4.7":
		return "L", true
	case "2.5.4.8":
		return "ST", true
	case "2.5.4.9":
		return "street", true
	case "2.5.4.10":
		return "O", true
	case "2.5.4.11":
		return "OU", true
	case "2.5.4.12":
		return "title", true
	case "2.5.4.13":
		return "description", true
	case "2.5.4.15":
		return "businessCategory", true
	case "2.5.4.17":
		return "postalCode", true
	case "2.5.4.41":
		return "name", true
	case "2.5.4.42":
		return "GN", true
	case "2.5.4.43":
		return "initials", true
	case "2.5.4.44":
		return "generationQualifier", true
	case "2.5.4.46":
		return "dnQualifier", true
	case "2.5.4.65":
		return "pseudonym", true
	case "2.5.4.97":
		return "organizationIdentifier", true
	case "0.9.2342.19200300.100.1.1":
		return "UID", true
	case "0.9.2342.19200300.100.1.25":
		return "DC", true
	case "1.2.840.113549.1.9.1":
		return "emailAddress", true
	case "1.3.6.1.4.1.311.60.2.1.1":
		return "jurisdictionL", true
	case "1.3.6.1.4.1.311.60.2.1.2":
		return "jurisdictionST", true
	case "1.3.6.1.4.1.311.60.2.1.3":
		return "jurisdictionC", true
	}
	return number, false
}
