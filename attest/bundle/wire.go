package bundle

// The messages of the protos as JSON: members in canonical order, and pointers
// where absence means something.

type wireBundle struct {
	Envelope  *wireEnvelope `json:"dsseEnvelope,omitzero"`
	MediaType string        `json:"mediaType"`
	Message   *wireMessage  `json:"messageSignature,omitzero"`
	Material  *wireMaterial `json:"verificationMaterial,omitzero"`
}

type wireEnvelope struct {
	Payload     *signed64                `json:"payload"`
	PayloadType string                   `json:"payloadType"`
	Signatures  list[wireSignature, one] `json:"signatures"`
}

type wireSignature struct {
	KeyID string   `json:"keyid,omitzero"`
	Sig   signed64 `json:"sig"`
}

type wireMessage struct {
	Digest    *wireDigest `json:"messageDigest,omitzero"`
	Signature signed64    `json:"signature"`
}

type wireDigest struct {
	Algorithm algorithm `json:"algorithm"`
	Digest    bytes64   `json:"digest"`
}

type wireMaterial struct {
	Certificate *wireCertificate             `json:"certificate,omitzero"`
	PublicKey   *wireKey                     `json:"publicKey,omitzero"`
	Timestamps  *wireTimestamps              `json:"timestampVerificationData,omitzero"`
	Entries     list[wireEntry, mostEntries] `json:"tlogEntries,omitempty"`
	Chain       *wireChain                   `json:"x509CertificateChain,omitzero"`
}

type wireKey struct {
	Hint string `json:"hint,omitzero"`
}

type wireCertificate struct {
	Raw bytes64 `json:"rawBytes"`
}

type wireChain struct {
	Certificates list[wireCertificate, mostCerts] `json:"certificates"`
}

type wireTimestamps struct {
	RFC3161 list[wireTimestamp, mostTimestamps] `json:"rfc3161Timestamps,omitempty"`
}

type wireTimestamp struct {
	Signed bytes64 `json:"signedTimestamp"`
}

type wireEntry struct {
	Body           bytes64      `json:"canonicalizedBody"`
	Promise        *wirePromise `json:"inclusionPromise,omitzero"`
	Proof          *wireProof   `json:"inclusionProof,omitzero"`
	IntegratedTime number       `json:"integratedTime,omitzero"`
	Kind           *wireKind    `json:"kindVersion,omitzero"`
	LogID          *wireLogID   `json:"logId,omitzero"`
	LogIndex       number       `json:"logIndex"`
}

type wirePromise struct {
	Signed bytes64 `json:"signedEntryTimestamp"`
}

type wireKind struct {
	Kind    string `json:"kind"`
	Version string `json:"version"`
}

type wireLogID struct {
	KeyID bytes64 `json:"keyId"`
}

type wireProof struct {
	Checkpoint *wireCheckpoint           `json:"checkpoint,omitzero"`
	Hashes     list[bytes64, mostHashes] `json:"hashes,omitempty"`
	LogIndex   number                    `json:"logIndex"`
	RootHash   bytes64                   `json:"rootHash"`
	TreeSize   number                    `json:"treeSize"`
}

type wireCheckpoint struct {
	Envelope string `json:"envelope"`
}
