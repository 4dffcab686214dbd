"""Kinds that ask a question and are answered at once: who is this token, who am I, may this be done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pybernetes.api import errors
from pybernetes.api.types import authentication_v1, authorization_v1
from pybernetes.apiserver import request as requests
from pybernetes.apiserver import results
from pybernetes.apiserver.authn import authenticator as authenticators
from pybernetes.apiserver.authn import jwt
from pybernetes.apiserver.authz import authorizer as authorizers
from pybernetes.apiserver.authz import questions
from pybernetes.apiserver.endpoints import bodies, metadata
from pybernetes.apiserver.endpoints import scope as scopes


class Reviews:
    """The review endpoints; `handlers()` finds them by resource name."""

    def __init__(
        self,
        *,
        authenticator: authenticators.Authenticator,
        authorizer: authorizers.Authorizer,
    ) -> None:
        self._authenticator = authenticator
        self._authorizer = authorizer

    def handlers(self) -> dict[str, Callable[[scopes.Scope, requests.Request], Any]]:
        return {
            "tokenreviews": self._token,
            "selfsubjectreviews": self._self,
            "subjectaccessreviews": self._access,
            "localsubjectaccessreviews": self._access,
            "selfsubjectaccessreviews": self._access,
            "selfsubjectrulesreviews": self._self_rules,
        }

    async def _token(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authentication_v1.TokenReview = bodies.decode(request, scope.kind.resource)
        if not review.spec.token:
            raise errors.bad_request("token is required for TokenReview in authentication")
        try:
            user, audiences = await self._authenticator.review(review.spec.token, tuple(review.spec.audiences))
        except jwt.InvalidToken as error:
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
        review: questions.Review = bodies.decode(request, scope.kind.resource)
        kind = scope.kind.resource
        if kind.namespaced:
            metadata.check_namespace(scope, review, request.attributes.namespace)
            review.metadata.namespace = request.attributes.namespace
        problems = questions.validate(review)
        if problems:
            raise errors.invalid(kind.group, kind.kind, "", problems)
        user, spec = request.user, review.spec
        if isinstance(spec, authorization_v1.SubjectAccessReviewSpec):
            user = questions.user(spec)
        asked = questions.attributes(review.spec)
        review.status = questions.status(await authorizers.decided(self._authorizer, user, asked), asked)
        return results.Made(review, 201)

    async def _self_rules(self, scope: scopes.Scope, request: requests.Request) -> results.Result:
        review: authorization_v1.SelfSubjectRulesReview = bodies.decode(request, scope.kind.resource)
        namespace = review.spec.namespace
        if not namespace:
            raise errors.bad_request("no namespace on request")
        found = self._authorizer.rules_for(request.user, namespace)
        review.status = authorization_v1.SubjectRulesReviewStatus(
            resourceRules=[
                authorization_v1.ResourceRule(
                    verbs=rule.verbs,
                    apiGroups=rule.apiGroups,
                    resources=rule.resources,
                    resourceNames=rule.resourceNames,
                )
                for rule in found.rules
                if rule.resources
            ],
            nonResourceRules=[
                authorization_v1.NonResourceRule(verbs=rule.verbs, nonResourceURLs=rule.nonResourceURLs)
                for rule in found.rules
                if rule.nonResourceURLs
            ],
            incomplete=found.incomplete,
            evaluationError=found.error,
        )
        return results.Made(review, 201)


def _user_info(user: requests.User) -> authentication_v1.UserInfo:
    return authentication_v1.UserInfo(
        username=user.name,
        uid=user.uid,
        groups=list(user.groups),
        extra={key: list(values) for key, values in user.extra},
    )
