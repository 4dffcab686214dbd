"""Kinds that ask a question and are answered at once: who is this token, who am I, may this be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybernetes.api import errors, fields
from pybernetes.api.types import authentication_v1, authorization_v1, rbac_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.authn import authenticator as authenticators
from pybernetes.apiserver.authn import serviceaccounts
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.authz import rbac
from pybernetes.apiserver.endpoints import bodies
from pybernetes.apiserver.endpoints import scope as scopes

EVERYTHING = rbac_v1.PolicyRule(verbs=["*"], apiGroups=["*"], resources=["*"])
EVERY_PATH = rbac_v1.PolicyRule(verbs=["*"], nonResourceURLs=["*"])


class Reviews:
    """The review endpoints; `handlers()` finds them by resource name. `allows_all`: everybody may do everything."""

    def __init__(
        self,
        *,
        authenticator: authenticators.Authenticator,
        authorizer: authorizers.Authorizer,
        roles: rbac.Rbac,
        allows_all: bool = False,
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer
        self._roles = roles
        self._allows_all = allows_all

    def handlers(self) -> dict[str, Callable[[scopes.Scope, requests.Request], Any]]:
        return {
            "tokenreviews": self._token,
            "selfsubjectreviews": self._self,
            "subjectaccessreviews": self._access,
            "localsubjectaccessreviews": self._local_access,
            "selfsubjectaccessreviews": self._self_access,
            "selfsubjectrulesreviews": self._self_rules,
        }

    async def _token(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authentication_v1.TokenReview = bodies.decode(request, scope.kind.resource)
        if not review.spec.token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        try:
            user, audiences = self._authenticator.review(review.spec.token, tuple(review.spec.audiences))
        except serviceaccounts.InvalidToken as error:
            status = authentication_v1.TokenReviewStatus(error=str(error))
        else:
            status = authentication_v1.TokenReviewStatus(
                authenticated=True, user=_user_info(user), audiences=list(audiences)
            )
        review.status = status
        return results.Made(review, 201)

    async def _self(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authentication_v1.SelfSubjectReview = bodies.decode(request, scope.kind.resource)
        review.status = authentication_v1.SelfSubjectReviewStatus(userInfo=_user_info(request.user))
        return results.Made(review, 201)

    async def _access(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authorization_v1.SubjectAccessReview = bodies.decode(request, scope.kind.resource)
        return self._answer(review, _subject(review.spec), review.spec)

    async def _local_access(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authorization_v1.LocalSubjectAccessReview = bodies.decode(request, scope.kind.resource)
        asked = review.spec.resourceAttributes
        namespace = request.attributes.namespace
        if asked is None or asked.namespace != namespace:
            path = fields.Path("spec.resourceAttributes.namespace")
            problem = fields.invalid(path, asked.namespace if asked else "", "must match metadata.namespace")
            raise errors.invalid("authorization.k8s.io", "LocalSubjectAccessReview", "", [problem])
        return self._answer(review, _subject(review.spec), review.spec)

    async def _self_access(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authorization_v1.SelfSubjectAccessReview = bodies.decode(request, scope.kind.resource)
        return self._answer(review, request.user, review.spec)

    def _answer(self, review: Any, user: requests.User, spec: Any) -> results.Result:
        decision = self._authorizer.decide(user, _attributes(spec, review.kind))
        review.status = authorization_v1.SubjectAccessReviewStatus(allowed=decision.allowed, reason=decision.reason)
        return results.Made(review, 201)

    async def _self_rules(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authorization_v1.SelfSubjectRulesReview = bodies.decode(request, scope.kind.resource)
        namespace = review.spec.namespace
        if not namespace:
            raise errors.bad_request("no namespace on request")
        rules = [rule for rule, _ in self._roles.rules_of(request.user, namespace)]
        if self._allows_all or "system:masters" in request.user.groups:
            rules = [EVERYTHING, EVERY_PATH, *rules]
        review.status = authorization_v1.SubjectRulesReviewStatus(
            resourceRules=[
                authorization_v1.ResourceRule(
                    verbs=rule.verbs,
                    apiGroups=rule.apiGroups,
                    resources=rule.resources,
                    resourceNames=rule.resourceNames,
                )
                for rule in rules
                if rule.resources
            ],
            nonResourceRules=[
                authorization_v1.NonResourceRule(verbs=rule.verbs, nonResourceURLs=rule.nonResourceURLs)
                for rule in rules
                if rule.nonResourceURLs
            ],
        )
        return results.Made(review, 201)


def _user_info(user: requests.User) -> authentication_v1.UserInfo:
    return authentication_v1.UserInfo(
        username=user.name,
        uid=user.uid,
        groups=list(user.groups),
        extra={key: list(values) for key, values in user.extra},
    )


def _subject(spec: authorization_v1.SubjectAccessReviewSpec) -> requests.User:
    if not spec.user and not spec.groups:
        path = fields.Path("spec")["user"]
        problem = fields.invalid(path, spec.user, "at least one of user or group must be specified")
        raise errors.invalid("authorization.k8s.io", "SubjectAccessReview", "", [problem])
    return requests.User(spec.user, spec.uid, tuple(spec.groups))


def _attributes(spec: Any, kind: str) -> requests.Attributes:
    resource, path = spec.resourceAttributes, spec.nonResourceAttributes
    if (resource is None) == (path is None):
        problem = fields.invalid(
            fields.Path("spec")["resourceAttributes"],
            None,
            "exactly one of nonResourceAttributes or resourceAttributes must be specified",
        )
        raise errors.invalid("authorization.k8s.io", kind, "", [problem])
    if resource is None:
        return requests.Attributes(path.verb, path.path)
    return requests.Attributes(
        resource.verb,
        "",
        resource.group,
        resource.version,
        resource.namespace,
        resource.resource,
        resource.subresource,
        resource.name,
    )
