/** Why a document, a call or an answer is not usable: a stable code, and sentences that may be shown to the caller. */
export interface ApiFault {
  /** `api_document_…` for documents, `api_argument_…` for calls. */
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}
