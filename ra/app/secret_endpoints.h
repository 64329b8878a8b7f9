#pragma once

#include "ra/admin/admin.h"
#include "ra/base/time.h"
#include "ra/gateway/secrets.h"

namespace ra::app {

/// GET /secrets, POST /secrets, DELETE /secrets/REFERENCE, for the role `secrets`; JSON as in
/// secrets.h. Both outlive the requests.
void add_secret_endpoints(admin::Admin& admin, gateway::Secrets& secrets, const Clock& clock);

}  // namespace ra::app
