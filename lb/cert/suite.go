package cert

import "crypto/tls"

// attribute is one property of a cipher suite that a word of a cipher list can ask for.
type attribute uint32

const (
	kxECDHE attribute = 1 << iota
	kxRSA
	authRSA
	authECDSA
	encAES128
	encAES256
	encGCM
	encChaCha20
	encCBC
	macSHA1
	macSHA256
	macSHA384
	macAEAD
	sinceTLS12 // not usable before TLS 1.2
)

// suite is a cipher suite of TLS 1.2 and before that both OpenSSL as distributed and crypto/tls have. RC4 and 3DES are not among
// them: crypto/tls could, but OpenSSL 3 no longer does, so that no nginx configuration can mean them.
type suite struct {
	id   uint16
	name string // OpenSSL's
	is   attribute
	bits int
}

const (
	ecdheECDSA = kxECDHE | authECDSA
	ecdheRSA   = kxECDHE | authRSA
	plainRSA   = kxRSA | authRSA
	gcm        = encGCM | macAEAD | sinceTLS12
	chacha     = encChaCha20 | macAEAD | sinceTLS12
	cbcSHA     = encCBC | macSHA1
	cbcSHA256  = encCBC | macSHA256 | sinceTLS12
)

// suites lists the suites in OpenSSL's order of preference.
func suites() []suite {
	return []suite{
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, "ECDHE-ECDSA-AES256-GCM-SHA384", ecdheECDSA | encAES256 | gcm, 256},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE-RSA-AES256-GCM-SHA384", ecdheRSA | encAES256 | gcm, 256},
		{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-ECDSA-CHACHA20-POLY1305", ecdheECDSA | chacha, 256},
		{tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256, "ECDHE-RSA-CHACHA20-POLY1305", ecdheRSA | chacha, 256},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, "ECDHE-ECDSA-AES128-GCM-SHA256", ecdheECDSA | encAES128 | gcm, 128},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE-RSA-AES128-GCM-SHA256", ecdheRSA | encAES128 | gcm, 128},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256, "ECDHE-ECDSA-AES128-SHA256", ecdheECDSA | encAES128 | cbcSHA256, 128},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256, "ECDHE-RSA-AES128-SHA256", ecdheRSA | encAES128 | cbcSHA256, 128},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE-ECDSA-AES256-SHA", ecdheECDSA | encAES256 | cbcSHA, 256},
		{tls.TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE-RSA-AES256-SHA", ecdheRSA | encAES256 | cbcSHA, 256},
		{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE-ECDSA-AES128-SHA", ecdheECDSA | encAES128 | cbcSHA, 128},
		{tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE-RSA-AES128-SHA", ecdheRSA | encAES128 | cbcSHA, 128},
		{tls.TLS_RSA_WITH_AES_256_GCM_SHA384, "AES256-GCM-SHA384", plainRSA | encAES256 | gcm, 256},
		{tls.TLS_RSA_WITH_AES_128_GCM_SHA256, "AES128-GCM-SHA256", plainRSA | encAES128 | gcm, 128},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA256, "AES128-SHA256", plainRSA | encAES128 | cbcSHA256, 128},
		{tls.TLS_RSA_WITH_AES_256_CBC_SHA, "AES256-SHA", plainRSA | encAES256 | cbcSHA, 256},
		{tls.TLS_RSA_WITH_AES_128_CBC_SHA, "AES128-SHA", plainRSA | encAES128 | cbcSHA, 128},
	}
}

// CipherName returns OpenSSL's name of a negotiated cipher suite, such as "ECDHE-RSA-AES128-GCM-SHA256", as $ssl_cipher shows it.
func CipherName(id uint16) string {
	switch id { // those of TLS 1.3 have the same name everywhere, and are by far the most asked for
	case tls.TLS_AES_128_GCM_SHA256:
		return "TLS_AES_128_GCM_SHA256"
	case tls.TLS_AES_256_GCM_SHA384:
		return "TLS_AES_256_GCM_SHA384"
	case tls.TLS_CHACHA20_POLY1305_SHA256:
		return "TLS_CHACHA20_POLY1305_SHA256"
	}
	for _, s := range suites() {
		if s.id == id {
			return s.name
		}
	}
	return tls.CipherSuiteName(id)
}

// word says which suites a group word of OpenSSL selects: those with all of all, one of any (unless it is zero), and none of not.
type word struct {
	all, any, not attribute
	none          bool // the word exists, but no suite here has the property
}

func (w word) selects(s *suite) bool {
	return !w.none && s.is&w.all == w.all && (w.any == 0 || s.is&w.any != 0) && s.is&w.not == 0
}

// groupWord looks up a group word of a cipher list.
func groupWord(name string) (word, bool) {
	switch name {
	case "ALL", "HIGH", "FIPS":
		return word{}, true
	case "kEECDH", "kECDHE", "ECDH":
		return word{all: kxECDHE}, true
	case "EECDH", "ECDHE":
		return word{any: kxECDHE}, true
	case "kRSA", "RSA":
		return word{all: kxRSA}, true
	case "aRSA":
		return word{all: authRSA}, true
	case "aECDSA", "ECDSA":
		return word{all: authECDSA}, true
	case "AES":
		return word{any: encAES128 | encAES256}, true
	case "AES128":
		return word{all: encAES128}, true
	case "AES256":
		return word{all: encAES256}, true
	case "AESGCM":
		return word{all: encGCM}, true
	case "CHACHA20":
		return word{all: encChaCha20}, true
	case "SHA", "SHA1":
		return word{all: macSHA1}, true
	case "SHA256":
		return word{all: macSHA256}, true
	case "SHA384":
		return word{all: macSHA384}, true
	case "TLSv1.2":
		return word{all: sinceTLS12}, true
	case "TLSv1", "TLSv1.0":
		return word{all: kxECDHE, not: sinceTLS12}, true
	case "SSLv3":
		return word{all: kxRSA, not: sinceTLS12}, true
	}
	if emptyWord(name) {
		return word{none: true}, true
	}
	return word{}, false
}

// emptyWord knows the group words that select nothing: their suites are in neither library, or need what TLS servers here lack.
func emptyWord(name string) bool {
	switch name {
	case "COMPLEMENTOFALL", "COMPLEMENTOFDEFAULT", "MEDIUM", "LOW", "EXP", "EXPORT", "EXPORT40", "EXPORT56",
		"eNULL", "NULL", "aNULL", "ADH", "AECDH", "kDHE", "kEDH", "DHE", "EDH", "DH", "kDHr", "kDHd", "kDH", "aDSS", "DSS", "aDH",
		"kECDHe", "kECDHr", "kECDH", "aECDH", "kPSK", "PSK", "aPSK", "kECDHEPSK", "kDHEPSK", "kRSAPSK", "kSRP", "SRP", "aSRP",
		"kGOST", "GOST", "aGOST", "aGOST01", "GOST89", "GOST89MAC", "GOST94", "AESCCM", "AESCCM8",
		"ARIA", "ARIA128", "ARIA256", "ARIAGCM", "CAMELLIA", "CAMELLIA128", "CAMELLIA256", "SEED", "IDEA", "RC2", "RC4",
		"3DES", "DES", "MD5", "SSLv2", "CBC":
		return true
	}
	return false
}
