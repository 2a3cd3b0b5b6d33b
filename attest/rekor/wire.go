package rekor

// The bodies of entries as JSON, members in canonical order. Strings are compared
// as they are: of base64, hexadecimal and PEM there is one spelling that a log
// writes.

// entry is a body of any kind. Spec's members are those of S.
type entry[S any] struct {
	Version string `json:"apiVersion"`
	Kind    string `json:"kind"`
	Spec    *S     `json:"spec"`
}

// The bodies of Rekor v2.

type specV2 struct {
	DSSE         *dsseV2         `json:"dsseV002,omitzero"`
	HashedRekord *hashedRekordV2 `json:"hashedRekordV002,omitzero"`
}

type hashedRekordV2 struct {
	Data      *digestV2    `json:"data"`
	Signature *signatureV2 `json:"signature"`
}

type dsseV2 struct {
	Payload    *digestV2      `json:"payloadHash"`
	Signatures []*signatureV2 `json:"signatures"`
}

type digestV2 struct {
	Algorithm string `json:"algorithm"`
	Digest    string `json:"digest"` // base64
}

type signatureV2 struct {
	Content  string    `json:"content"` // base64
	Verifier *verifier `json:"verifier"`
}

type verifier struct {
	Details     string    `json:"keyDetails"`
	PublicKey   *rawBytes `json:"publicKey,omitzero"`
	Certificate *rawBytes `json:"x509Certificate,omitzero"`
}

type rawBytes struct {
	Raw string `json:"rawBytes"` // base64 of DER
}

// request is what Rekor v2 is asked to log.
type request struct {
	HashedRekord *requestV2 `json:"hashedRekordRequestV002"`
}

type requestV2 struct {
	Digest    string       `json:"digest"` // base64
	Signature *signatureV2 `json:"signature"`
}

// The bodies of Rekor v1.

type hashedRekordV1 struct {
	Data struct {
		Hash digestV1 `json:"hash"`
	} `json:"data"`
	Signature struct {
		Content   string `json:"content"` // base64
		PublicKey struct {
			Content string `json:"content"` // base64 of PEM
		} `json:"publicKey"`
	} `json:"signature"`
}

type digestV1 struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"value"` // hexadecimal
}

type dsseV1 struct {
	Envelope   digestV1 `json:"envelopeHash"`
	Payload    digestV1 `json:"payloadHash"`
	Signatures []struct {
		Signature string `json:"signature"` // base64
		Verifier  string `json:"verifier"`  // base64 of PEM
	} `json:"signatures"`
}

type intotoV1 struct {
	Content struct {
		Envelope struct {
			Payload     *string `json:"payload,omitzero"` // base64 of base64
			PayloadType string  `json:"payloadType"`
			Signatures  []struct {
				KeyID     *string `json:"keyid,omitzero"`
				PublicKey string  `json:"publicKey"` // base64 of PEM
				Sig       string  `json:"sig"`       // base64 of base64
			} `json:"signatures"`
		} `json:"envelope"`
		Hash    digestV1 `json:"hash"`
		Payload digestV1 `json:"payloadHash"`
	} `json:"content"`
}
